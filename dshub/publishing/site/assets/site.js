// Script for all pages: search, filters, copy buttons and tabs. Pages also work without JavaScript.
(() => {
  "use strict";
  const root = document.documentElement;
  const all = (selector, parent = document) => [...parent.querySelectorAll(selector)];
  const storage = {
    get(key) { try { return localStorage.getItem(`dshub-${key}`); } catch { return null; } },
    set(key, value) { try { localStorage.setItem(`dshub-${key}`, value); } catch { /* storage is blocked */ } },
  };

  // Set the theme before the first paint to avoid a flash.
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
  const chosen = storage.get("theme");
  if (chosen === "dark" || chosen === "light") root.dataset.theme = chosen;
  root.classList.add("js");

  function theme() {
    const button = document.getElementById("theme");
    const show = () => button.setAttribute("aria-pressed", String(dark()));
    button.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      storage.set("theme", root.dataset.theme);
      show();
    });
    system.addEventListener("change", show);
    show();
  }

  // Browsers have no clipboard API over plain HTTP, so fall back to a text area.
  async function copy(text) {
    if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "offscreen";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("copying was blocked");
    return undefined;
  }

  function copying() {
    const announcer = document.getElementById("copied");
    const labels = new WeakMap();
    for (const button of all("button[data-copy]")) {
      button.addEventListener("click", async () => {
        const label = button.querySelector("span") || button;
        if (!labels.has(button)) labels.set(button, label.textContent);
        let word = "Copied";
        try {
          await copy(document.getElementById(button.dataset.copy).textContent);
          button.focus();
        } catch {
          word = "Copy failed";
        }
        label.textContent = word;
        announcer.textContent = "";
        requestAnimationFrame(() => { announcer.textContent = word; });
        setTimeout(() => { label.textContent = labels.get(button); }, 1600);
      });
    }
  }

  // Tabs follow the ARIA Authoring Practices: one tab stop, and arrow keys to switch tabs.
  function tabs(list) {
    const buttons = all("[role=tab]", list);
    function select(button, focus) {
      for (const other of buttons) {
        const on = other === button;
        other.setAttribute("aria-selected", String(on));
        other.tabIndex = on ? 0 : -1;
        document.getElementById(other.getAttribute("aria-controls")).hidden = !on;
      }
      if (focus) button.focus();
    }
    list.addEventListener("click", (event) => {
      const button = event.target.closest("[role=tab]");
      if (!button) return;
      select(button, false);
      if (list.dataset.keep) storage.set(list.dataset.keep, button.dataset.key);
    });
    list.addEventListener("keydown", (event) => {
      const at = buttons.indexOf(document.activeElement);
      const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
      if (at < 0 || next === undefined) return;
      event.preventDefault();
      const button = buttons[(next + buttons.length) % buttons.length];
      select(button, true);
      if (list.dataset.keep) storage.set(list.dataset.keep, button.dataset.key);
    });
    const saved = list.dataset.keep ? storage.get(list.dataset.keep) : null;
    select(buttons.find((button) => button.dataset.key === saved) || buttons[0], false);
  }

  // The search follows `dshub.catalog.search`: the same spelling, and the same order of matches.
  const plain = (text) => text.toLowerCase().replace(/[^\p{L}\p{N}/]+/gu, "");

  function rank(words, [names, title, rest], classes) {
    const fields = ` ${names} ${title} ${rest}`;
    const within = (...texts) => words.every((word) => texts.some((text) => text.includes(word)));
    const whole = words.join("");
    if (!words.every((word, i) => fields.includes(word) || classes[i].any)) return Infinity;
    if (names.split(" ").includes(whole)) return 0;
    if (names.split(" ").some((name) => `/${name}/`.includes(`/${whole}/`))) return 1;
    if (within(names)) return 2;
    if (within(names, title)) return 3;
    return words.every((word, i) => fields.includes(` ${word}`) || classes[i].start) ? 4 : 5;
  }

  // Return the number of edits between two words.
  function distance(a, b) {
    let row = Array.from({ length: b.length + 1 }, (_, j) => j);
    for (let i = 1; i <= a.length; i += 1) {
      const next = [i];
      for (let j = 1; j <= b.length; j += 1) {
        next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] !== b[j - 1]));
      }
      row = next;
    }
    return row[b.length];
  }

  function nearest(word, vocabulary) {
    const limit = Math.min(2, Math.floor(word.length / 3));
    const near = vocabulary.map((other) => [distance(word, other), other]).filter(([edits]) => edits <= limit);
    return near.length ? near.reduce((best, item) => (item[0] < best[0] ? item : best))[1] : "";
  }

  // Filter the cards of the first page by their data attributes, and by class names from a file.
  function filters(form) {
    const list = document.getElementById("cards");
    const cards = all(":scope > li", list).map((node, position) => ({
      node, position, ...node.dataset, size: Number(node.dataset.size || Infinity),
      rows: Number(node.dataset.rows),
      lines: node.dataset.text.split("\n"),
    }));
    const count = document.getElementById("count");
    const none = document.getElementById("none");
    const near = document.getElementById("near");
    const fields = ["q", "mode", "task", "license", "size", "sort"];
    const read = () => Object.fromEntries(fields.map((name) => [name, form.elements[name].value]));
    let classes = {};

    const order = {
      name: (a, b) => a.position - b.position,
      rows: (a, b) => b.rows - a.rows || a.position - b.position,
      small: (a, b) => a.size - b.size || a.position - b.position,
    };
    // For each word, the positions of cards with a class that contains it, or that starts with it.
    function mentions(words) {
      return words.map((word) => {
        const found = { any: new Set(), start: new Set() };
        for (const [name, positions] of Object.entries(classes)) {
          if (!name.includes(word)) continue;
          for (const i of positions) found.any.add(i);
          if (name.startsWith(word)) for (const i of positions) found.start.add(i);
        }
        return found;
      });
    }
    function ranks(words) {
      const found = mentions(words);
      return cards.map((card) => words.length ? rank(words, card.lines, found.map(
        ({ any, start }) => ({ any: any.has(card.position), start: start.has(card.position) }),
      )) : 0);
    }
    function matches(card, query) {
      return (!query.mode || card.mode === query.mode)
        && (!query.task || card.task === query.task)
        && (!query.license || card.license === query.license)
        && (!query.size || card.size <= Number(query.size));
    }
    function suggest(words) {
      const texts = cards.map((card) => card.lines.join(" ")).join(" ");
      const vocabulary = [...new Set([...texts.split(/[ /]+/), ...Object.keys(classes)])];
      const known = (word) => texts.includes(word) || word in classes;
      const better = words.map((word) => known(word) ? word : nearest(word, vocabulary));
      near.querySelector("button").textContent = better.every(Boolean) ? better.join(" ") : "";
      near.hidden = !better.every(Boolean) || better.join() === words.join();
    }
    let shownOrder = cards;
    function update() {
      const query = read();
      const words = query.q.split(/\s+/).map(plain).filter(Boolean);
      const places = ranks(words);
      let shown = 0;
      for (const card of cards) {
        const on = matches(card, query) && places[card.position] < Infinity;
        card.node.hidden = !on;
        shown += on;
      }
      const by = order[query.sort] || order.name;
      const best = (a, b) => (query.sort ? 0 : places[a.position] - places[b.position] || 0);
      const sorted = [...cards].sort((a, b) => best(a, b) || by(a, b));
      if (sorted.some((card, i) => card !== shownOrder[i])) list.append(...sorted.map((card) => card.node));
      shownOrder = sorted;
      if (!shown) suggest(words);
      const text = shown === cards.length ? `${shown} datasets` : `${shown} of ${cards.length} datasets`;
      if (count.textContent !== text) count.textContent = text;
      none.hidden = shown > 0;
      const hash = new URLSearchParams(Object.entries(query).filter(([, value]) => value)).toString();
      history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
    }
    const query = new URLSearchParams(location.hash.slice(1));
    for (const name of fields) if (query.has(name)) form.elements[name].value = query.get(name);

    form.addEventListener("input", update);
    form.addEventListener("submit", (event) => event.preventDefault());
    for (const button of all("[data-reset]")) button.addEventListener("click", () => {
      form.reset();
      update();
      form.elements.q.focus();
    });
    near.querySelector("button").addEventListener("click", (event) => {
      form.elements.q.value = event.target.textContent;
      update();
      form.elements.q.focus();
    });
    const script = document.createElement("script");
    script.src = form.dataset.words;
    script.onload = () => { classes = window.dshubWords || {}; if (form.elements.q.value) update(); };
    document.head.append(script);
    update();
  }

  // Return the address of this site, for DSHUB_MIRROR.
  function siteAddress() {
    const address = new URL(".", location.href);
    if (address.protocol !== "file:") return address.href;
    try {
      return decodeURIComponent(address.pathname).replace(/^\/(?=[A-Za-z]:)/, "");
    } catch { // the path is not UTF-8
      return address.href;
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    theme();
    copying();
    for (const list of all("[role=tablist]")) tabs(list);
    for (const element of all("[data-here]")) element.textContent = siteAddress().replace(/["$\\`]/g, "\\$&");
    const form = document.getElementById("filters");
    if (form) filters(form);
  });
})();

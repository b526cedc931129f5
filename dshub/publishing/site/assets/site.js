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

  // Filter the cards of the first page by their data attributes, and by class names from a file.
  function filters(form) {
    const list = document.getElementById("cards");
    const cards = all(":scope > li", list).map((node, position) => ({
      node, position, ...node.dataset, size: Number(node.dataset.size || Infinity),
      rows: Number(node.dataset.rows),
      text: `${node.textContent} ${node.dataset.more || ""}`.toLowerCase(),
    }));
    const count = document.getElementById("count");
    const none = document.getElementById("none");
    const fields = ["q", "mode", "task", "license", "size", "sort"];
    const read = () => Object.fromEntries(fields.map((name) => [name, form.elements[name].value]));
    let classes = {};

    const order = {
      name: (a, b) => a.position - b.position,
      rows: (a, b) => b.rows - a.rows || a.position - b.position,
      small: (a, b) => a.size - b.size || a.position - b.position,
    };
    function mentions(words) {
      const names = Object.keys(classes);
      return words.map((word) => {
        const positions = new Set();
        for (const name of names) if (name.includes(word)) for (const i of classes[name]) positions.add(i);
        return (card) => card.text.includes(word) || positions.has(card.position);
      });
    }
    function matches(card, query, tests) {
      return (!query.mode || card.mode === query.mode)
        && (!query.task || card.task === query.task)
        && (!query.license || card.license === query.license)
        && (!query.size || card.size <= Number(query.size))
        && tests.every((test) => test(card));
    }
    let sorted = "name";
    function update() {
      const query = read();
      const tests = mentions(query.q.toLowerCase().split(/\s+/).filter(Boolean));
      let shown = 0;
      for (const card of cards) {
        const on = matches(card, query, tests);
        card.node.hidden = !on;
        shown += on;
      }
      const by = order[query.sort] ? query.sort : "name";
      if (by !== sorted) list.append(...[...cards].sort(order[by]).map((card) => card.node));
      sorted = by;
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

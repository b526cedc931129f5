"""Invented words and sentences, with a vocabulary for each class."""


def sentence(number: int, random: int) -> str:
    """A few words, every other one from the vocabulary of the class."""
    return " ".join(words(number, random, 4 + random % 9))


def words(number: int, random: int, count: int) -> list[str]:
    """So many words; see `sentence`."""
    found = []
    for i in range(count):
        random = (random * 6364136223846793005 + 1442695040888963407) % 2**64
        kind = number if i % 2 else 999
        found.append(_word((kind * 16 + (random >> 33) % 16) * 2654435761 % 2**32))
    return found


def _word(number: int) -> str:
    consonants, vowels, word = "bdfgklmnprstvz", "aeiou", ""
    for _ in range(2 + number % 2):
        word += consonants[number % 14] + vowels[number // 14 % 5]
        number //= 70
    return word

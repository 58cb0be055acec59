// How well what was typed fits a name, as in the switcher: all its letters in this order, the better the closer together and the
// nearer to the beginning of a word. No state, no page.

const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/**
 * @param {string} typed @param {string} name
 * @returns {{score: number, at: number[]}|null} where the letters are, or null if it does not fit
 */
export function fit(typed, name) {
  const wanted = [...plain(typed).replace(/\s+/g, "")];
  const letters = [...plain(name)];
  if (!wanted.length) return { score: 0, at: [] };
  const whole = letters.join("").indexOf(wanted.join(""));
  const at = whole >= 0 ? wanted.map((_, index) => whole + index) : scattered(wanted, letters);
  return at && { score: score(at, letters), at };
}

function scattered(wanted, letters) {
  const at = [];
  let from = 0;
  for (const letter of wanted) {
    const found = letters.indexOf(letter, from);
    if (found < 0) return null;
    at.push(found);
    from = found + 1;
  }
  return at;
}

function score(at, letters) {
  const begins = (index) => index === 0 || /[^\p{L}\p{N}]/u.test(letters[index - 1]);
  const runs = at.filter((index, n) => n > 0 && index === at[n - 1] + 1).length;
  const words = at.filter(begins).length;
  return 4 * runs + 6 * words + (at[0] === 0 ? 8 : 0) + (at.length === letters.length ? 10 : 0) - at[0] - letters.length / 10;
}

/** Sort what fits, best first; what fits equally stays as it was. @template T @param {T[]} all @returns {{one: T, at: number[]}[]} */
export function best(typed, all, nameOf, bonus = () => 0, most = 50) {
  return all
    .map((one) => ({ one, found: fit(typed, nameOf(one)) }))
    .filter(({ found }) => found)
    .map(({ one, found }) => ({ one, at: found.at, score: found.score + bonus(one) }))
    .sort((a, b) => b.score - a.score)
    .slice(0, most);
}

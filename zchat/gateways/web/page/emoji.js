// Emoji by the names that people know from elsewhere: the table of the server, which puts them in the place of their names.

let known; // `usual` and `others`: [emoji, name, name …]

/** Have the table. Rejects without a connection. */
export const learn = async () => (known ??= await (await fetch("/assets/emoji.json")).json());

/** @returns {[string, string][]} the emoji whose name has the word, those that begin with it first */
export function search(word) {
  const wanted = word.toLowerCase();
  const found = [...known.usual, ...known.others].flatMap(([emoji, ...names]) => {
    const name = names.find((one) => one.startsWith(wanted)) ?? names.find((one) => one.includes(wanted));
    return name ? [{ emoji, name, first: name.startsWith(wanted) }] : [];
  });
  return found.sort((a, b) => b.first - a.first).map(({ emoji, name }) => [emoji, `:${name}:`]);
}

/** Those that people use. */
export const usual = () => known.usual;

// Emoji that people use, by the names that they know from elsewhere.

export const OFTEN = ["👍", "❤️", "😂", "🎉", "👀", "✅", "🙏", "🚀"];

const TABLE = `👍 +1 thumbsup|❤️ heart|😂 joy|🎉 tada|👀 eyes|✅ white_check_mark done|🙏 pray thanks|🚀 rocket`;

const ALL = TABLE.split("|").map((line) => {
  const [emoji, ...names] = line.trim().split(" ");
  return { emoji, names };
});

/** @returns {[string, string][]} the emoji whose name has the word, those that begin with it first */
export function search(word) {
  const wanted = word.toLowerCase();
  const found = ALL.flatMap(({ emoji, names }) => {
    const name = names.find((one) => one.startsWith(wanted)) ?? names.find((one) => one.includes(wanted));
    return name ? [{ emoji, name, first: name.startsWith(wanted) }] : [];
  });
  return found.sort((a, b) => b.first - a.first).map(({ emoji, name }) => [emoji, `:${name}:`]);
}

export const all = () => ALL.map(({ emoji, names }) => [emoji, names[0]]);

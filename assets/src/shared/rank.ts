/**
 * How well a label answers a query, higher is better, undefined for not at all.
 * Every letter of the query occurs in the label in order; letters that begin a
 * word or follow each other count more, and short labels win over long ones.
 */
export function rank(query: string, label: string): number | undefined {
  const wanted = query.toLowerCase().replace(/\s+/g, "");
  const text = label.toLowerCase();
  let score = 0;
  let from = 0;
  for (const letter of wanted) {
    const at = text.indexOf(letter, from);
    if (at < 0) return undefined;
    const begins = at === 0 || /[^\p{L}\p{N}]/u.test(text.charAt(at - 1));
    if (begins) score += 3;
    else if (at === from && from > 0) score += 2;
    from = at + 1;
  }
  return score - text.length / 100;
}

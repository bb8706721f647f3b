// What is being typed of a name, apart from the page.

/** The part of a text that is to become a mention: from the @ at start up to the caret. */
export interface Partial {
  readonly start: number;
  readonly query: string;
}

const longest = 60;

/** The name that is being typed before the caret, or null. An @ inside a word begins none, as in an address. */
export function partial(text: string, caret: number): Partial | null {
  const start = text.lastIndexOf("@", caret - 1);
  if (start < 0 || caret - start > longest) return null;
  if (start > 0 && /[\p{L}\p{N}]/u.test(text.charAt(start - 1))) return null;
  const query = text.slice(start + 1, caret);
  return query.includes("\n") ? null : { start, query };
}

/** The names that the query may become: every word of the query begins a word of the name. */
export function matching(people: readonly string[], query: string): string[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return people.filter((name) => {
    const own = name.toLowerCase().split(/\s+/);
    return words.every((word) => own.some((part) => part.startsWith(word)));
  });
}

/** The text with the name in the place of what was typed of it, and where the caret goes. */
export function completed(text: string, at: Partial, name: string): { text: string; caret: number } {
  const before = text.slice(0, at.start);
  const after = text.slice(at.start + 1 + at.query.length);
  const put = `@${name}${after.startsWith(" ") ? "" : " "}`;
  return { text: before + put + after, caret: before.length + put.length };
}

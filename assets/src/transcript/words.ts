// Words of a text, where they stand in it, and which of them are those that a model heard.

export interface Token {
  readonly text: string;
  /** Where it stands in its text, in UTF-16 units. */
  readonly from: number;
  readonly to: number;
  /** What it is compared by: without case and punctuation. */
  readonly key: string;
  /** "[noise]" and the like: heard, but no word. */
  readonly tag: boolean;
}

const tagOrWord = /\[[^\][]*\]|[^\s[]+|\[/gu;

/** The words and tags of a text, in order. */
export function tokens(text: string): Token[] {
  return [...text.matchAll(tagOrWord)].map((m) => {
    const tag = /^\[.+\]$/u.test(m[0]);
    return { text: m[0], from: m.index, to: m.index + m[0].length, key: keyOf(m[0]), tag };
  });
}

/** "Twice," and "twice" are the same word. What is nothing but punctuation is compared as it stands. */
export function keyOf(word: string): string {
  const bare = word.normalize("NFKC").toLocaleLowerCase().replace(/[’ʼ]/gu, "'").replace(/^[^\p{L}\p{N}[]+|[^\p{L}\p{N}\]]+$/gu, "");
  return bare === "" ? word : bare;
}

/** The token at a place of the text, or the one that ends there; null between words. */
export function tokenAt<T extends Token>(list: readonly T[], at: number): T | null {
  return list.find((t) => t.from <= at && at < t.to) ?? list.find((t) => t.to === at) ?? null;
}

// Larger tables than this are cut at words that both sides have once.
const mostCells = 1_000_000;

/**
 * Aligns two lists of words with the fewest edits. For each word of `a` it says which word of `b` stands in the same place:
 * the same one, or the one that it replaced; -1 where there is none.
 */
export function align(a: readonly string[], b: readonly string[]): Int32Array {
  const places = new Int32Array(a.length).fill(-1);
  alignPart(a, b, 0, a.length, 0, b.length, places);
  return places;
}

function alignPart(a: readonly string[], b: readonly string[], a0: number, a1: number, b0: number, b1: number, places: Int32Array): void {
  while (a0 < a1 && b0 < b1 && a[a0] === b[b0]) places[a0++] = b0++;
  while (a0 < a1 && b0 < b1 && a[a1 - 1] === b[b1 - 1]) places[--a1] = --b1;
  if (a0 === a1 || b0 === b1) return;
  if ((a1 - a0) * (b1 - b0) <= mostCells) return table(a, b, a0, a1, b0, b1, places);
  const [i, j] = anchor(a, b, a0, a1, b0, b1);
  alignPart(a, b, a0, i, b0, j, places);
  alignPart(a, b, i, a1, j, b1, places);
}

// Where to cut what is too long for a table: at the word nearest to the middle that both have once, else in proportion.
function anchor(a: readonly string[], b: readonly string[], a0: number, a1: number, b0: number, b1: number): [number, number] {
  const once = (list: readonly string[], from: number, to: number): Map<string, number> => {
    const seen = new Map<string, number>();
    for (let i = from; i < to; i++) seen.set(list[i] ?? "", seen.has(list[i] ?? "") ? -1 : i);
    return seen;
  };
  const inA = once(a, a0, a1);
  const inB = once(b, b0, b1);
  const middle = (a0 + a1) >> 1;
  const slope = (b1 - b0) / (a1 - a0);
  let best: [number, number] = [middle, Math.round(b0 + (middle - a0) * slope)];
  let distance = Infinity;
  for (const [word, i] of inA) {
    const j = inB.get(word) ?? -1;
    if (i <= a0 || j <= b0) continue;
    const off = Math.abs(i - middle) + Math.abs(j - (b0 + (i - a0) * slope));
    if (off < distance) [distance, best] = [off, [i, j]];
  }
  return best;
}

function table(a: readonly string[], b: readonly string[], a0: number, a1: number, b0: number, b1: number, places: Int32Array): void {
  const n = a1 - a0;
  const m = b1 - b0;
  const width = m + 1;
  const cost = new Int32Array((n + 1) * width);
  const at = (i: number, j: number): number => cost[i * width + j] ?? 0;
  for (let j = 1; j <= m; j++) cost[j] = j;
  for (let i = 1; i <= n; i++) {
    cost[i * width] = i;
    for (let j = 1; j <= m; j++) {
      const differs = a[a0 + i - 1] === b[b0 + j - 1] ? 0 : 1;
      cost[i * width + j] = Math.min(at(i - 1, j - 1) + differs, at(i - 1, j) + 1, at(i, j - 1) + 1);
    }
  }
  for (let i = n, j = m; i > 0 && j > 0; ) {
    const differs = a[a0 + i - 1] === b[b0 + j - 1] ? 0 : 1;
    if (at(i, j) === at(i - 1, j - 1) + differs) {
      i--;
      j--;
      places[a0 + i] = b0 + j;
    } else if (at(i, j) === at(i - 1, j) + 1) i--;
    else j--;
  }
}

/** How many edits lie between two lists of words that `places` aligns. */
export function edits(a: readonly string[], b: readonly string[], places: Int32Array): number {
  let aligned = 0;
  let replaced = 0;
  places.forEach((j, i) => {
    if (j < 0) return;
    aligned++;
    if (a[i] !== b[j]) replaced++;
  });
  return replaced + (a.length - aligned) + (b.length - aligned);
}

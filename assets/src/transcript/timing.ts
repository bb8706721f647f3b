// Where in time each written word is: by the words that a model heard, and between them in proportion.
import type { HeardWord, Segment } from "../boxes/contract";
import { align, edits, keyOf, type Token, tokens } from "./words";

export interface TimedWord extends Token {
  /** The segment that it stands in. */
  readonly segment: number;
  readonly start: number;
  readonly end: number;
  /** Of the word that was heard and stands as it was; null for any other. */
  readonly confidence: number | null;
  /** heard: as the model heard it. changed: in the place of another. added: where nothing was heard. */
  readonly origin: "heard" | "changed" | "added";
}

export interface Timing {
  readonly words: readonly TimedWord[];
  readonly edits: number;
  /** Words of the hypothesis. */
  readonly of: number;
  /** Whether times are from a hypothesis, and not only spread over the segments. */
  readonly exact: boolean;
}

/** The bounds of doubt: below the first a word is very doubtful, from the last on it is sure. */
export const doubts = [0.5, 0.75, 0.9] as const;

/** 1 very doubtful, 2, 3 slightly; 0 sure, or nobody knows. */
export function doubtOf(confidence: number | null): 0 | 1 | 2 | 3 {
  if (confidence === null) return 0;
  return confidence < doubts[0] ? 1 : confidence < doubts[1] ? 2 : confidence < doubts[2] ? 3 : 0;
}

/** Finds the times of all words of a transcript. */
export function timing(segments: readonly Segment[], heard: readonly HeardWord[]): Timing {
  const written = segments.flatMap((s, segment) => tokens(s.text).map((t) => ({ ...t, segment })));
  const keys = written.map((w) => w.key);
  const others = heard.map((w) => keyOf(w.word));
  const places = align(keys, others);
  const words = written.map((w, i): TimedWord => {
    const place = places[i] ?? -1;
    const other = heard[place];
    if (!other) return { ...w, start: NaN, end: NaN, confidence: null, origin: "added" };
    const same = w.key === others[place];
    return { ...w, start: other.start, end: other.end, confidence: same ? other.confidence : null, origin: same ? "heard" : "changed" };
  });
  return { words: spread(words, segments), edits: heard.length === 0 ? 0 : edits(keys, others, places), of: heard.length, exact: heard.length > 0 };
}

// Gives words without a time their share of the time between their neighbours, by their length.
function spread(words: readonly TimedWord[], segments: readonly Segment[]): TimedWord[] {
  const timed = [...words];
  for (let i = 0; i < timed.length; ) {
    const first = timed[i];
    if (!first || !Number.isNaN(first.start)) {
      i++;
      continue;
    }
    let j = i;
    while (j < timed.length && timed[j]?.segment === first.segment && Number.isNaN(timed[j]?.start)) j++;
    const segment = segments[first.segment];
    const before = timed[i - 1];
    const after = timed[j];
    const begin = Math.max(segment?.begin ?? 0, before?.segment === first.segment ? before.end : 0);
    const end = after?.segment === first.segment ? after.start : (segment?.end ?? begin);
    share(timed, i, j, begin, Math.max(begin, end));
    i = j;
  }
  return timed;
}

function share(timed: TimedWord[], from: number, to: number, begin: number, end: number): void {
  const lengths = timed.slice(from, to).map((w) => w.text.length + 1);
  const all = lengths.reduce((sum, n) => sum + n, 0);
  let done = 0;
  for (let i = from; i < to; i++) {
    const word = timed[i];
    const length = lengths[i - from] ?? 0;
    if (word) timed[i] = { ...word, start: begin + ((end - begin) * done) / all, end: begin + ((end - begin) * (done + length)) / all };
    done += length;
  }
}

/** The word that is spoken at a time, or null. */
export function wordAtTime(words: readonly TimedWord[], time: number): TimedWord | null {
  return words.find((w) => w.start <= time && time < w.end) ?? null;
}

/** The time of a place in a segment's text: that of the word there, else the end of the one before it. */
export function timeAt(words: readonly TimedWord[], segment: number, at: number): number | null {
  const inside = words.filter((w) => w.segment === segment);
  const here = inside.find((w) => w.from <= at && at <= w.to);
  if (here) return here.start;
  const before = inside.filter((w) => w.to < at).at(-1);
  return before?.end ?? inside[0]?.start ?? null;
}

// No word is shorter than this, in seconds.
const narrow = 0.1;

/** The stretch of time of what is selected in a segment's text, or null where no word is. */
export function spanOf(words: readonly TimedWord[], segment: number, from: number, to: number): { begin: number; end: number } | null {
  const chosen = words.filter((w) => w.segment === segment && w.from < to && from < w.to);
  const [first, last] = [chosen[0], chosen.at(-1)];
  if (!first || !last || last.end < first.start) return null;
  if (last.end - first.start >= narrow) return { begin: first.start, end: last.end };
  // Words that were added where nothing was heard have no time of their own: they are somewhere here.
  const middle = (first.start + last.end) / 2;
  return { begin: Math.max(0, middle - narrow), end: middle + narrow };
}

/** The next doubtful word after a place, or the one before it; goes round at the ends. */
export function nextDoubt(words: readonly TimedWord[], segment: number, at: number, by: 1 | -1): TimedWord | null {
  const doubtful = words.filter((w) => doubtOf(w.confidence) !== 0);
  const behind = (w: TimedWord): boolean => w.segment > segment || (w.segment === segment && w.from > at);
  const before = (w: TimedWord): boolean => w.segment < segment || (w.segment === segment && w.to < at);
  return by === 1 ? (doubtful.find(behind) ?? doubtful[0] ?? null) : (doubtful.findLast(before) ?? doubtful.at(-1) ?? null);
}

export interface Alternative {
  readonly text: string;
  readonly confidence: number | null;
}

/** What the hypotheses have in a stretch of time, each wording once, the surest first. */
export function alternatives(lists: readonly (readonly HeardWord[])[], begin: number, end: number): Alternative[] {
  const found = new Map<string, Alternative>();
  for (const list of lists) {
    const inside = list.filter((w) => Math.min(w.end, end) - Math.max(w.start, begin) > 0.5 * Math.min(w.end - w.start, end - begin));
    const text = inside.map((w) => w.word).join(" ");
    if (text === "") continue;
    const sure = inside.map((w) => w.confidence).filter((c) => c !== null);
    const confidence = sure.length === 0 ? null : Math.min(...sure);
    const known = found.get(text);
    if (!known || (confidence ?? 0) > (known.confidence ?? 0)) found.set(text, { text, confidence });
  }
  return [...found.values()].sort((a, b) => (b.confidence ?? 0) - (a.confidence ?? 0));
}

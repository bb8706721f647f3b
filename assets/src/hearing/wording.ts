// The text that is taken, and where in it each part stands of which the answers have it: choosing a variant replaces what stands there,
// and whatever is typed moves the parts behind it.
import type { Part, Segment } from "./state";

interface Piece {
  readonly part: number;
  from: number;
  to: number;
}

/** What was taken whole and not touched since: an answer by its letter, "merged", "truth"; null for none. */
export type Whole = string | null;

export class Wording {
  texts: string[];
  whole: Whole = null;
  private pieces: Piece[][] = [];
  private readonly judged = new Set<number>();
  /** Parts that were typed over. */
  private readonly typed = new Set<number>();

  constructor(
    readonly parts: readonly Part[],
    readonly segments: readonly Segment[],
  ) {
    this.texts = segments.map((s) => s.text);
    if (parts.length > 0) this.build((p) => p.merged);
  }

  /** The parts on which the answers differ. */
  get differing(): readonly number[] {
    return this.parts.flatMap((p, i) => (p.variants.length > 1 ? [i] : []));
  }

  /** Those that still need a judgment. */
  get open(): readonly number[] {
    return this.differing.filter((i) => !this.judged.has(i));
  }

  isOpen(part: number): boolean {
    return !this.judged.has(part);
  }

  isTyped(part: number): boolean {
    return this.typed.has(part);
  }

  // Writes every segment anew out of its parts.
  private build(of: (part: Part, index: number) => string): void {
    this.typed.clear();
    this.pieces = this.segments.map(() => []);
    this.texts = this.segments.map(() => "");
    this.parts.forEach((part, i) => {
      const text = of(part, i);
      const before = this.texts[part.segment] ?? "";
      const from = before === "" || text === "" ? before.length : before.length + 1;
      this.texts[part.segment] = from > before.length ? `${before} ${text}` : before + text;
      this.pieces[part.segment]?.push({ part: i, from, to: from + text.length });
    });
  }

  /** Takes a whole answer, or what most have: every difference is decided by it. */
  take(which: string, of: (part: Part) => string): void {
    this.build(of);
    this.judgeAll();
    this.whole = which;
  }

  /** Takes texts as they stand, segment by segment. */
  set(which: Whole, texts: readonly string[]): void {
    this.texts = this.segments.map((_, i) => texts[i] ?? "");
    this.pieces = [];
    this.judgeAll();
    this.whole = which;
  }

  judgeAll(): void {
    for (const i of this.differing) this.judged.add(i);
  }

  private pieceOf(part: number): Piece | null {
    return this.pieces[this.parts[part]?.segment ?? -1]?.find((p) => p.part === part) ?? null;
  }

  /** What stands in a part's place. */
  textOf(part: number): string | null {
    const piece = this.pieceOf(part);
    return piece ? (this.texts[this.parts[part]?.segment ?? 0] ?? "").slice(piece.from, piece.to) : null;
  }

  /** Puts a text in a part's place, with one space to each side of it. */
  choose(part: number, text: string): void {
    const segment = this.parts[part]?.segment ?? 0;
    let piece = this.pieceOf(part);
    if (!piece) {
      this.build((p) => p.merged);
      piece = this.pieceOf(part);
    }
    if (!piece) return;
    const whole = this.texts[segment] ?? "";
    let before = whole.slice(0, piece.from);
    let after = whole.slice(piece.to);
    const [room, rest] = [before.trimEnd(), after.trimStart()];
    before = room === "" || (text === "" && rest === "") ? room : `${room} `;
    after = rest === "" || text === "" ? rest : ` ${rest}`;
    const [from, to] = [before.length, before.length + text.length];
    const shift = before.length + text.length + after.length - whole.length;
    for (const other of this.pieces[segment] ?? []) {
      if (other === piece) continue;
      if (other.from >= piece.to && other.part > part) {
        other.from = Math.max(to, other.from + shift);
        other.to = Math.max(other.from, other.to + shift);
      } else if (other.part < part) {
        other.from = Math.min(other.from, room.length);
        other.to = Math.min(other.to, room.length);
      }
    }
    [piece.from, piece.to] = [from, to];
    this.texts[segment] = before + text + after;
    this.judged.add(part);
    this.typed.delete(part);
    this.whole = null;
  }

  /** Takes what was typed into a segment. */
  type(segment: number, text: string): void {
    const old = this.texts[segment] ?? "";
    if (old === text) return;
    let first = 0;
    while (first < old.length && first < text.length && old[first] === text[first]) first++;
    let last = 0;
    while (last < old.length - first && last < text.length - first && old[old.length - 1 - last] === text[text.length - 1 - last]) last++;
    const [end, shift] = [old.length - last, text.length - old.length];
    for (const piece of this.pieces[segment] ?? []) {
      if (piece.to < first || (piece.to === first && piece.from < piece.to && end > first)) continue;
      if (piece.from >= end && !(piece.from === first && piece.to === first)) {
        piece.from += shift;
        piece.to += shift;
        continue;
      }
      piece.from = Math.min(piece.from, first);
      piece.to = Math.max(piece.from, Math.max(piece.to, end) + shift);
      this.typed.add(piece.part);
      this.judged.add(piece.part);
    }
    this.texts[segment] = text;
    this.whole = null;
  }

  /** The transcript as it is sent. */
  transcript(): Segment[] {
    return this.segments.map((s, i) => ({ ...s, text: (this.texts[i] ?? "").trim().replace(/\s+/gu, " ") }));
  }
}

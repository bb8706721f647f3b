/**
 * Transcription rules as they are checked while somebody writes: the twin of internal/speech/rules.go, held to it by the
 * cases of internal/speech/testdata/rules.json.
 */

export interface Tag {
  readonly text: string;
  /** One letter or digit that enters it. */
  readonly key?: string;
  readonly about?: string;
}

export interface Spelling {
  readonly write: string;
  readonly not: string;
}

export interface Rules {
  readonly numbers?: "" | "words" | "digits";
  readonly casing?: "" | "lower" | "upper" | "sentence";
  readonly punctuation?: "" | "none" | "these";
  readonly marks?: string;
  readonly forbidden?: string;
  readonly tags?: readonly Tag[];
  readonly unintelligible?: string;
  readonly spellings?: readonly Spelling[];
}

export type Rule = "numbers" | "casing" | "punctuation" | "forbidden" | "tag" | "spelling";

/** A place that breaks a rule. first and last count code points, not units of a string; last is the one after it. */
export interface Finding {
  readonly first: number;
  readonly last: number;
  readonly rule: Rule;
  readonly sentence: string;
}

/** The tag for what nobody can make out. */
export function unintelligible(rules: Rules): string {
  return rules.unintelligible || "[unintelligible]";
}

/** The tag for an utterance in which nothing is said, which all rules allow. */
export const noSpeech = "[no speech]";

/** Where in a string its code point of that number begins. */
export function unitAt(text: string, point: number): number {
  let unit = 0;
  for (const character of text) {
    if (point-- <= 0) break;
    unit += character.length;
  }
  return unit;
}

/** What of a text breaks the rules, in the order of the text. */
export function check(rules: Rules, text: string): Finding[] {
  const found = [...new Check(rules, text).all()];
  return found.sort((a, b) => a.first - b.first || a.last - b.last);
}

const closer: Readonly<Record<string, string>> = { "<": ">", "[": "]", "{": "}" };

const digit = /^\p{Nd}$/u;
const letter = /^[\p{L}\p{Nd}\p{M}]$/u;
const mark = /^[\p{P}\p{S}]$/u;
const upper = /^\p{Lu}$/u;
const lower = /^\p{Ll}$/u;

const numberWords = new Set(
  (
    "zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen " +
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion"
  ).split(" "),
);

/** The apostrophes and hyphens of typesetting as those of a keyboard. */
function straight(c: string): string {
  if (c === "\u2018" || c === "\u2019" || c === "\u02bc") return "'";
  return c === "\u2010" || c === "\u2011" ? "-" : c;
}

/** Every code point small by itself, so that as many come out as went in. */
function lowered(points: readonly string[]): string {
  return points.map((c) => straight([...c.toLowerCase()][0] ?? c)).join("");
}

class Check {
  private readonly points: readonly string[];
  private readonly inTag: boolean[];

  constructor(
    private readonly rules: Rules,
    text: string,
  ) {
    this.points = [...text];
    this.inTag = this.points.map(() => false);
  }

  *all(): Generator<Finding> {
    yield* this.tags();
    yield* this.numbers();
    yield* this.casing();
    yield* this.marks();
    yield* this.spellings();
  }

  private *tags(): Generator<Finding> {
    const tags = this.rules.tags ?? [];
    const allowed = new Set([unintelligible(this.rules), noSpeech, ...tags.map((t) => t.text)]);
    for (let i = 0; i < this.points.length; i++) {
      const end = closer[this.points[i] ?? ""];
      if (end === undefined) continue;
      const last = this.points.indexOf(end, i) + 1;
      if (last === 0) {
        if (tags.length > 0) yield { first: i, last: i + 1, rule: "tag", sentence: "Close this tag, or take its bracket out." };
        continue;
      }
      this.inTag.fill(true, i, last);
      if (tags.length > 0 && !allowed.has(this.points.slice(i, last).join(""))) {
        yield { first: i, last, rule: "tag", sentence: "This tag is not one of the rules'. Choose one of theirs." };
      }
      i = last - 1;
    }
  }

  private inWord(i: number): boolean {
    const c = this.points[i] ?? "";
    if (letter.test(c)) return true;
    const before = this.points[i - 1];
    const after = this.points[i + 1];
    if (before === undefined || after === undefined) return false;
    const plain = straight(c);
    if (plain === "'" || plain === "-") return letter.test(before) && letter.test(after);
    return (plain === "." || plain === ",") && digit.test(before) && digit.test(after);
  }

  private wordAt(i: number): boolean {
    return this.inTag[i] === false && this.inWord(i);
  }

  private *words(): Generator<[first: number, last: number]> {
    for (let i = 0; i < this.points.length; ) {
      if (!this.wordAt(i)) {
        i++;
        continue;
      }
      const first = i;
      while (i < this.points.length && this.wordAt(i)) i++;
      yield [first, i];
    }
  }

  private *numbers(): Generator<Finding> {
    const { numbers } = this.rules;
    if (!numbers) return;
    for (const [first, last] of this.words()) {
      const word = this.points.slice(first, last);
      if (numbers === "words" && word.some((c) => digit.test(c))) {
        yield { first, last, rule: "numbers", sentence: "Write numbers in words." };
      }
      if (numbers === "digits" && lowered(word).split("-").some((part) => numberWords.has(part))) {
        yield { first, last, rule: "numbers", sentence: "Write numbers in digits." };
      }
    }
  }

  private *casing(): Generator<Finding> {
    const { casing } = this.rules;
    if (!casing) return;
    for (const [first, last] of this.words()) {
      const word = this.points.slice(first, last);
      if (casing === "sentence") {
        if (lower.test(word[0] ?? "")) yield { first, last: first + 1, rule: "casing", sentence: "Begin with a capital." };
        return;
      }
      if (casing === "lower" && word.some((c) => upper.test(c))) {
        yield { first, last, rule: "casing", sentence: "Write in small letters." };
      }
      if (casing === "upper" && word.some((c) => lower.test(c))) {
        yield { first, last, rule: "casing", sentence: "Write in capitals." };
      }
    }
  }

  private *marks(): Generator<Finding> {
    const forbidden = new Set(this.rules.forbidden ?? "");
    const marks = [...(this.rules.marks ?? "")];
    for (const [i, c] of this.points.entries()) {
      if (this.inTag[i]) continue;
      const at = { first: i, last: i + 1 };
      if (forbidden.has(c)) {
        yield { ...at, rule: "forbidden", sentence: "The rules do without this character. Take it out." };
        continue;
      }
      if (!this.rules.punctuation || this.inWord(i) || !mark.test(c)) continue;
      if (this.rules.punctuation === "none") {
        yield { ...at, rule: "punctuation", sentence: "Write without punctuation." };
      } else if (!marks.includes(c)) {
        yield { ...at, rule: "punctuation", sentence: `Of punctuation the rules have ${marks.join(" ")} alone.` };
      }
    }
  }

  private *spellings(): Generator<Finding> {
    for (const { write, not } of this.rules.spellings ?? []) {
      const wrong = lowered([...not]);
      const length = [...not].length;
      if (length === 0) continue;
      for (let i = 0; i + length <= this.points.length; i++) {
        const last = i + length;
        if (this.inTag[i] || lowered(this.points.slice(i, last)) !== wrong || !this.bounded(i, last) || this.begins(i, write)) continue;
        yield { first: i, last, rule: "spelling", sentence: `Write “${write}”, not “${not}”.` };
        i = last - 1;
      }
    }
  }

  /** Whether no word goes on over either end of a place. */
  private bounded(first: number, last: number): boolean {
    const before = first > 0 && this.wordAt(first - 1) && this.inWord(first);
    const after = last < this.points.length && this.wordAt(last) && this.inWord(last - 1);
    return !before && !after;
  }

  private begins(i: number, write: string): boolean {
    return this.points.slice(i, i + [...write].length).join("") === write;
  }
}

// The one table of keys: it binds them, is remapped per person, and is the `?` sheet.

/** "hear" is the review of an utterance, "write" the transcript workbench; the others are the box workbench's. */
export type Mode = "label" | "review" | "view" | "hear" | "write";
export type Group = "Draw" | "Class" | "Choose and move" | "See" | "Task" | "Review" | "Listen" | "Review of sound" | "Sound" | "Write" | "Segments" | "Moments";

export interface Key {
  readonly id: string;
  /** "Ctrl Shift Z", "b", "Shift Arrows"; modifiers in the order Ctrl, Alt, Shift. */
  readonly chord: string;
  readonly also?: readonly string[];
  readonly label: string;
  readonly group: Group;
  /** "canvas" acts only while the canvas has focus, "page" anywhere but in a text field. */
  readonly scope: "canvas" | "page";
  readonly modes: readonly Mode[];
  /** Stands for a family of keys, or is held down with the mouse: not remapped. */
  readonly fixed?: true;
}

const all: readonly Mode[] = ["label", "review", "view"];
const edit: readonly Mode[] = ["label", "review"];
const label: readonly Mode[] = ["label"];
const review: readonly Mode[] = ["review"];
/** The review of an utterance. */
const hear: readonly Mode[] = ["hear"];
const write: readonly Mode[] = ["write"];
const time: readonly Mode[] = ["hear", "write"];
const change: readonly Mode[] = ["label", "review", "write"];
const answer: readonly Mode[] = ["label", "write"];
const every: readonly Mode[] = ["label", "review", "view", "hear", "write"];

export const table: readonly Key[] = [
  { id: "draw", chord: "b", label: "Draw boxes", group: "Draw", scope: "canvas", modes: edit },
  { id: "select", chord: "v", label: "Select and move boxes", group: "Draw", scope: "canvas", modes: edit },
  { id: "insert", chord: "i", label: "Put a box in the middle", group: "Draw", scope: "canvas", modes: edit },
  { id: "duplicate", chord: "d", label: "Duplicate the box", group: "Draw", scope: "canvas", modes: edit },
  { id: "tighten", chord: "t", label: "Tighten the box to the pixels", group: "Draw", scope: "canvas", modes: edit },
  { id: "delete", chord: "Delete", also: ["Backspace"], label: "Delete the box", group: "Draw", scope: "canvas", modes: edit },
  { id: "undo", chord: "Ctrl Z", label: "Undo", group: "Draw", scope: "page", modes: change },
  { id: "redo", chord: "Ctrl Shift Z", also: ["Ctrl Y"], label: "Redo", group: "Draw", scope: "page", modes: change },

  { id: "class", chord: "Digits", label: "Class of the next box, or of the box picked", group: "Class", scope: "canvas", modes: label, fixed: true },
  { id: "find-class", chord: "c", label: "Find a class by its name", group: "Class", scope: "canvas", modes: edit },

  { id: "next-box", chord: "]", label: "Next box", group: "Choose and move", scope: "canvas", modes: all },
  { id: "previous-box", chord: "[", label: "Previous box", group: "Choose and move", scope: "canvas", modes: all },
  { id: "nudge", chord: "Arrows", label: "Move the box by 1\u00a0px", group: "Choose and move", scope: "canvas", modes: edit, fixed: true },
  { id: "nudge-far", chord: "Shift Arrows", label: "Move the box by 10\u00a0px", group: "Choose and move", scope: "canvas", modes: edit, fixed: true },
  { id: "grow", chord: "Alt Arrows", label: "Move its right or bottom side by 1\u00a0px", group: "Choose and move", scope: "canvas", modes: edit, fixed: true },
  { id: "grow-far", chord: "Alt Shift Arrows", label: "The same by 10\u00a0px", group: "Choose and move", scope: "canvas", modes: edit, fixed: true },
  { id: "turn", chord: "e", label: "Turn the box clockwise by 1°", group: "Choose and move", scope: "canvas", modes: edit },
  { id: "turn-back", chord: "q", label: "Turn it back by 1°", group: "Choose and move", scope: "canvas", modes: edit },
  { id: "turn-far", chord: "Shift E", label: "Turn it clockwise by 15°", group: "Choose and move", scope: "canvas", modes: edit },
  { id: "turn-back-far", chord: "Shift Q", label: "Turn it back by 15°", group: "Choose and move", scope: "canvas", modes: edit },
  { id: "leave", chord: "Escape", label: "Stop drawing, or let the box go", group: "Choose and move", scope: "canvas", modes: all },

  { id: "zoom-in", chord: "+", also: ["="], label: "Zoom in", group: "See", scope: "canvas", modes: all },
  { id: "zoom-out", chord: "-", label: "Zoom out", group: "See", scope: "canvas", modes: all },
  { id: "fit", chord: "f", label: "Fit the image", group: "See", scope: "canvas", modes: all },
  { id: "actual", chord: "Shift 1", label: "One image pixel on one of the screen", group: "See", scope: "canvas", modes: all },
  { id: "pan", chord: "Ctrl Arrows", label: "Move the view", group: "See", scope: "canvas", modes: all, fixed: true },
  { id: "hand", chord: "Space", label: "Hold and drag to move the view", group: "See", scope: "canvas", modes: all, fixed: true },
  { id: "hide", chord: "h", label: "Hide or show the boxes", group: "See", scope: "canvas", modes: all },
  { id: "loupe", chord: "w", label: "Magnifying glass on or off", group: "See", scope: "canvas", modes: all },
  { id: "darker", chord: "o", label: "Darker", group: "See", scope: "canvas", modes: all },
  { id: "brighter", chord: "p", label: "Brighter", group: "See", scope: "canvas", modes: all },
  { id: "softer", chord: ",", label: "Less contrast", group: "See", scope: "canvas", modes: all },
  { id: "harder", chord: ".", label: "More contrast", group: "See", scope: "canvas", modes: all },
  { id: "neutral", chord: "n", label: "Brightness and contrast as they were", group: "See", scope: "canvas", modes: all },

  { id: "approve", chord: "a", label: "Approve, and show the next", group: "Review", scope: "canvas", modes: review },
  { id: "reject", chord: "r", label: "Send back, with a reason", group: "Review", scope: "canvas", modes: review },
  { id: "next-object", chord: "j", label: "Next object", group: "Review", scope: "canvas", modes: review },
  { id: "previous-object", chord: "k", label: "Previous object", group: "Review", scope: "canvas", modes: review },
  { id: "take", chord: "Digits", label: "Take an answer: whole, or for the object chosen", group: "Review", scope: "canvas", modes: review, fixed: true },
  { id: "take-merged", chord: "m", label: "Take the merged boxes: all, or for the object chosen", group: "Review", scope: "canvas", modes: review },
  { id: "leave-out", chord: "0", label: "Leave the object chosen out", group: "Review", scope: "canvas", modes: review },
  { id: "discard", chord: "x", label: "Discard the item", group: "Review", scope: "canvas", modes: review },
  { id: "undo-decision", chord: "u", label: "Take the last decision back", group: "Review", scope: "canvas", modes: review },
  { id: "hear-play", chord: "Space", label: "Play, or stop", group: "Listen", scope: "canvas", modes: hear },
  { id: "hear-place", chord: "p", label: "Play the place chosen", group: "Listen", scope: "canvas", modes: hear },
  { id: "hear-back", chord: "b", label: "Back by 2 seconds", group: "Listen", scope: "canvas", modes: hear },
  { id: "hear-slower", chord: ",", label: "Slower", group: "Listen", scope: "canvas", modes: hear },
  { id: "hear-faster", chord: ".", label: "Faster", group: "Listen", scope: "canvas", modes: hear },
  { id: "hear-approve", chord: "a", label: "Take the words and moments, and show the next", group: "Review of sound", scope: "canvas", modes: hear },
  { id: "hear-reject", chord: "r", label: "Send back words or moments, with a reason", group: "Review of sound", scope: "canvas", modes: hear },
  { id: "hear-discard", chord: "x", label: "Discard the utterance", group: "Review of sound", scope: "canvas", modes: hear },
  { id: "hear-undo", chord: "u", label: "Take the last decision on sound back", group: "Review of sound", scope: "canvas", modes: hear },
  { id: "hear-next", chord: "j", also: ["F3", "ArrowRight", "ArrowDown"], label: "Next place where the answers differ", group: "Review of sound", scope: "canvas", modes: hear },
  { id: "hear-previous", chord: "k", also: ["F2", "ArrowLeft", "ArrowUp"], label: "Previous place where they differ", group: "Review of sound", scope: "canvas", modes: hear },
  { id: "hear-take", chord: "Digits", label: "Take a variant of the place chosen, or a whole answer where none is", group: "Review of sound", scope: "canvas", modes: hear, fixed: true },
  { id: "hear-merged", chord: "m", label: "Take what most have: all, or at the place chosen", group: "Review of sound", scope: "canvas", modes: hear },
  { id: "hear-out", chord: "0", label: "Leave the words or the moment chosen out", group: "Review of sound", scope: "canvas", modes: hear },
  { id: "hear-write", chord: "e", label: "Write in the text", group: "Review of sound", scope: "canvas", modes: hear },
  { id: "hear-models", chord: "y", label: "Show what models heard", group: "Review of sound", scope: "canvas", modes: hear },
  { id: "hear-leave", chord: "Escape", label: "Let the place go, or leave the text", group: "Review of sound", scope: "canvas", modes: hear },

  { id: "play", chord: "Ctrl Space", also: ["F8"], label: "Play or pause; it goes on 1\u00a0s before", group: "Sound", scope: "page", modes: write },
  { id: "back", chord: "Ctrl B", also: ["F7"], label: "Back by 2\u00a0s", group: "Sound", scope: "page", modes: write },
  { id: "ahead", chord: "Ctrl Shift B", also: ["F9"], label: "On by 2\u00a0s", group: "Sound", scope: "page", modes: write },
  { id: "slower", chord: "Ctrl ,", label: "Slower", group: "Sound", scope: "page", modes: write },
  { id: "faster", chord: "Ctrl .", label: "Faster", group: "Sound", scope: "page", modes: write },
  { id: "loop", chord: "Ctrl L", label: "Play the selection over and over", group: "Sound", scope: "page", modes: write },
  { id: "listen", chord: "Alt H", label: "Hear the next channel alone", group: "Sound", scope: "page", modes: write },
  { id: "play-here", chord: "Ctrl Shift Space", label: "Play from the cursor", group: "Sound", scope: "page", modes: write },
  { id: "hear-word", chord: "Alt Enter", label: "Hear the word at the cursor", group: "Sound", scope: "page", modes: write },
  { id: "zoom-in-time", chord: "Alt +", also: ["Alt ="], label: "Show less of the time", group: "Sound", scope: "page", modes: time },
  { id: "zoom-out-time", chord: "Alt -", label: "Show more of the time", group: "Sound", scope: "page", modes: time },
  { id: "next-doubt", chord: "F3", label: "Next doubtful word", group: "Write", scope: "page", modes: write },
  { id: "previous-doubt", chord: "F2", label: "Doubtful word before", group: "Write", scope: "page", modes: write },
  { id: "other-word", chord: "F4", label: "Take what else was heard here", group: "Write", scope: "page", modes: write },
  { id: "unintelligible", chord: "Ctrl U", label: "[unintelligible]", group: "Write", scope: "page", modes: write },
  { id: "no-speech", chord: "Alt S", label: "[no speech]", group: "Write", scope: "page", modes: write },
  { id: "noise", chord: "Alt N", label: "[noise]", group: "Write", scope: "page", modes: write },
  { id: "laughter", chord: "Alt L", label: "[laughter]", group: "Write", scope: "page", modes: write },
  { id: "split", chord: "Enter", label: "Split the segment at the cursor", group: "Segments", scope: "page", modes: write, fixed: true },
  { id: "join", chord: "Backspace", label: "At its beginning, join it with the one before", group: "Segments", scope: "page", modes: write, fixed: true },
  { id: "next-segment", chord: "Alt ArrowDown", label: "Next segment", group: "Segments", scope: "page", modes: write },
  { id: "previous-segment", chord: "Alt ArrowUp", label: "Segment before", group: "Segments", scope: "page", modes: write },
  { id: "begin-here", chord: "Alt ,", label: "It begins at the play head", group: "Segments", scope: "page", modes: write },
  { id: "end-here", chord: "Alt .", label: "It ends at the play head", group: "Segments", scope: "page", modes: write },
  { id: "speaker", chord: "Alt A", label: "Next speaker", group: "Segments", scope: "page", modes: write },
  { id: "channel", chord: "Alt C", label: "Next channel", group: "Segments", scope: "page", modes: write },
  { id: "moment", chord: "Alt Digits", label: "Mark what is selected, or all of it", group: "Moments", scope: "page", modes: write, fixed: true },
  { id: "select-from", chord: "Alt I", label: "Select from the play head", group: "Moments", scope: "page", modes: write },
  { id: "select-to", chord: "Alt O", label: "Select up to the play head", group: "Moments", scope: "page", modes: write },
  { id: "let-go", chord: "Escape", label: "Let the selection go", group: "Moments", scope: "page", modes: write },

  { id: "submit", chord: "Ctrl Enter", label: "Submit, and show the next", group: "Task", scope: "page", modes: answer },
  { id: "skip", chord: "x", label: "Cannot decide", group: "Task", scope: "canvas", modes: label },
  { id: "recall", chord: "u", label: "Take the last submit back", group: "Task", scope: "canvas", modes: label },
  { id: "keys", chord: "?", label: "This sheet", group: "Task", scope: "page", modes: every },
  { id: "set-aside", chord: "Alt X", label: "Cannot decide, of an utterance", group: "Task", scope: "page", modes: write },
  { id: "take-back", chord: "Alt U", label: "Take the last utterance back", group: "Task", scope: "page", modes: write },
  { id: "reveal", chord: "Alt R", label: "Show what a model heard", group: "Task", scope: "page", modes: write },
  { id: "wider", chord: "Alt W", label: "Hear more around it", group: "Task", scope: "page", modes: write },
  { id: "sheet", chord: "F1", label: "The keys", group: "Task", scope: "page", modes: write },
];

/** The part of a KeyboardEvent that says which key was pressed. */
export interface Press {
  readonly key: string;
  readonly code: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
  readonly shiftKey: boolean;
  getModifierState(name: string): boolean;
}

/**
 * The chord of a key press. Digits go by their place on the board, since French
 * keyboards type them with Shift; a character that is typed with AltGr or Shift,
 * as `[` or `?` on many boards, is that character alone.
 */
export function chordOf(e: Press): string {
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(e.code)?.[1];
  const typed = e.getModifierState("AltGraph");
  const isLetter = /^\p{L}$/u.test(e.key);
  const name = digit ?? (e.key === " " ? "Space" : e.key);
  const symbol = !digit && name.length === 1 && !isLetter;
  const parts: string[] = [];
  if (!typed && (e.ctrlKey || e.metaKey)) parts.push("Ctrl");
  if (!typed && e.altKey) parts.push("Alt");
  if (e.shiftKey && !symbol) parts.push("Shift");
  parts.push(isLetter ? (parts.length > 0 ? name.toUpperCase() : name.toLowerCase()) : name);
  return parts.join(" ");
}

/** "Shift ArrowLeft" belongs to "Shift Arrows", "3" to "Digits", "Alt 3" to "Alt Digits". */
export function familyOf(chord: string): string {
  if (/^(Alt )?[0-9]$/.test(chord)) return chord.replace(/[0-9]$/, "Digits");
  return chord.replace(/Arrow(Left|Right|Up|Down)$/, "Arrows");
}

/** Which action each chord starts, for one mode and one person. */
export class Keys {
  private readonly bound = new Set<string>();

  /** `own` holds the person's chords by id of the action; an unknown id is passed over. */
  constructor(
    readonly mode: Mode,
    private own: Readonly<Record<string, string>>,
  ) {}

  /** The keys in force here: those of the page around the canvas, once it has bound them. */
  get rows(): readonly Key[] {
    const here = table.filter((k) => k.modes.includes(this.mode) && (k.group !== "Review" || this.bound.has(k.id)));
    // Where nothing is drawn, what is undone was written; where nothing is written, sound is for listening.
    if (this.mode === "hear") return here.map((k) => (k.group === "Sound" ? { ...k, group: "Listen" } : k));
    return this.mode === "write" ? here.map((k) => (k.group === "Draw" ? { ...k, group: "Write" } : k)) : here;
  }

  /** The page does this action. */
  add(id: string): void {
    this.bound.add(id);
  }

  remap(own: Readonly<Record<string, string>>): void {
    this.own = own;
  }

  chord(key: Key): string {
    return key.fixed ? key.chord : (this.own[key.id] ?? key.chord);
  }

  /** The action under this chord: a person's own chord goes before a default of another action. */
  find(chord: string): Key | null {
    const mine = this.rows.find((k) => !k.fixed && this.own[k.id] === chord);
    if (mine) return mine;
    const family = familyOf(chord);
    return (
      this.rows.find((k) => (k.fixed || this.own[k.id] === undefined) && (k.chord === chord || k.also?.includes(chord))) ??
      this.rows.find((k) => k.fixed && k.chord === family) ??
      null
    );
  }

  /** Another action that already has this chord, or null. */
  taken(chord: string, but: string): Key | null {
    const other = this.find(chord);
    return other && other.id !== but ? other : null;
  }
}

// The one table of keys: it binds them, is remapped per person, and is the `?` sheet.

export type Mode = "label" | "review" | "view";
export type Group = "Draw" | "Class" | "Choose and move" | "See" | "Task";

export interface Key {
  readonly id: string;
  /** "Ctrl Shift Z", "b", "Shift Arrows"; modifiers in the order Ctrl, Alt, Shift. */
  readonly chord: string;
  readonly also?: readonly string[];
  readonly label: string;
  readonly group: Group | "Review";
  /** "canvas" acts only while the canvas has focus, "page" anywhere but in a text field. */
  readonly scope: "canvas" | "page";
  readonly modes: readonly Mode[];
  /** Stands for a family of keys, or is held down with the mouse: not remapped. */
  readonly fixed?: true;
}

const all: readonly Mode[] = ["label", "review", "view"];
const edit: readonly Mode[] = ["label", "review"];
const label: readonly Mode[] = ["label"];

export const table: readonly Key[] = [
  { id: "draw", chord: "b", label: "Draw boxes", group: "Draw", scope: "canvas", modes: edit },
  { id: "select", chord: "v", label: "Select and move boxes", group: "Draw", scope: "canvas", modes: edit },
  { id: "insert", chord: "i", label: "Put a box in the middle", group: "Draw", scope: "canvas", modes: edit },
  { id: "duplicate", chord: "d", label: "Duplicate the box", group: "Draw", scope: "canvas", modes: edit },
  { id: "tighten", chord: "t", label: "Tighten the box to the pixels", group: "Draw", scope: "canvas", modes: edit },
  { id: "delete", chord: "Delete", also: ["Backspace"], label: "Delete the box", group: "Draw", scope: "canvas", modes: edit },
  { id: "undo", chord: "Ctrl Z", label: "Undo", group: "Draw", scope: "page", modes: edit },
  { id: "redo", chord: "Ctrl Shift Z", also: ["Ctrl Y"], label: "Redo", group: "Draw", scope: "page", modes: edit },

  { id: "class", chord: "Digits", label: "Class of the next box, or of the box picked", group: "Class", scope: "canvas", modes: label, fixed: true },
  { id: "find-class", chord: "c", label: "Find a class by its name", group: "Class", scope: "canvas", modes: edit },

  { id: "next-box", chord: "]", label: "Next box", group: "Choose and move", scope: "canvas", modes: all },
  { id: "previous-box", chord: "[", label: "Previous box", group: "Choose and move", scope: "canvas", modes: all },
  { id: "nudge", chord: "Arrows", label: "Move the box by 1\u00a0px", group: "Choose and move", scope: "canvas", modes: edit, fixed: true },
  { id: "nudge-far", chord: "Shift Arrows", label: "Move the box by 10\u00a0px", group: "Choose and move", scope: "canvas", modes: edit, fixed: true },
  { id: "grow", chord: "Alt Arrows", label: "Move its right or bottom side by 1\u00a0px", group: "Choose and move", scope: "canvas", modes: edit, fixed: true },
  { id: "grow-far", chord: "Alt Shift Arrows", label: "The same by 10\u00a0px", group: "Choose and move", scope: "canvas", modes: edit, fixed: true },
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
  { id: "softer", chord: "k", label: "Less contrast", group: "See", scope: "canvas", modes: all },
  { id: "harder", chord: "l", label: "More contrast", group: "See", scope: "canvas", modes: all },
  { id: "neutral", chord: "n", label: "Brightness and contrast as they were", group: "See", scope: "canvas", modes: all },

  { id: "submit", chord: "Ctrl Enter", label: "Submit, and show the next", group: "Task", scope: "page", modes: label },
  { id: "skip", chord: "x", label: "Cannot decide", group: "Task", scope: "canvas", modes: label },
  { id: "recall", chord: "u", label: "Take the last submit back", group: "Task", scope: "canvas", modes: label },
  { id: "keys", chord: "?", label: "This sheet", group: "Task", scope: "page", modes: all },
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

/** "Shift ArrowLeft" belongs to "Shift Arrows", "3" to "Digits". */
export function familyOf(chord: string): string {
  if (/^[0-9]$/.test(chord)) return "Digits";
  return chord.replace(/Arrow(Left|Right|Up|Down)$/, "Arrows");
}

/** Which action each chord starts, for one mode and one person. */
export class Keys {
  readonly rows: Key[];

  /** `own` holds the person's chords by id of the action; an unknown id is passed over. */
  constructor(
    readonly mode: Mode,
    private own: Readonly<Record<string, string>>,
  ) {
    this.rows = table.filter((k) => k.modes.includes(mode));
  }

  /** Adds an action of the page around the canvas, so that it stands in the same table. */
  add(key: Key): void {
    this.rows.push(key);
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

/** One stroke of a chord: a key with the modifiers held. */
export interface Stroke {
  ctrl: boolean;
  alt: boolean;
  shift: boolean;
  /** As KeyboardEvent.key, lower case: "k", "enter", "]". */
  key: string;
}

/** What of a KeyboardEvent decides which stroke it is. */
export interface Pressed {
  key: string;
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
  getModifierState?(name: string): boolean;
}

const named: Readonly<Record<string, string>> = {
  del: "delete",
  esc: "escape",
  space: " ",
  "←": "arrowleft",
  "→": "arrowright",
  "↑": "arrowup",
  "↓": "arrowdown",
};

/**
 * Reads a chord as it is written on the keys sheet: "Ctrl K", "Shift 1", "?",
 * "Del", or one stroke after another, "g q".
 */
export function parseChord(chord: string): Stroke[] {
  const strokes: Stroke[] = [];
  let held = { ctrl: false, alt: false, shift: false };
  for (const word of chord.split(" ").filter((part) => part !== "")) {
    const lower = word.toLowerCase();
    if (lower === "ctrl" || lower === "alt" || lower === "shift") {
      held = { ...held, [lower]: true };
      continue;
    }
    strokes.push({ ...held, key: named[lower] ?? lower });
    held = { ctrl: false, alt: false, shift: false };
  }
  return strokes;
}

/**
 * Whether a pressed key is the stroke. Ctrl is Command on a Mac. Shift counts
 * only for letters, digits and named keys: where it is needed to type a sign
 * depends on the keyboard, and so does AltGr.
 */
export function isStroke(stroke: Stroke, pressed: Pressed): boolean {
  const typed = pressed.getModifierState?.("AltGraph") ?? false;
  if (stroke.ctrl !== (!typed && (pressed.ctrlKey || pressed.metaKey))) return false;
  if (stroke.alt !== (!typed && pressed.altKey)) return false;
  const sign = stroke.key.length === 1 && !/[\p{L}\p{N} ]/u.test(stroke.key);
  if (!sign && stroke.shift !== pressed.shiftKey) return false;
  if (stroke.shift && /^\d$/.test(stroke.key)) return pressed.code === `Digit${stroke.key}`;
  return pressed.key.toLowerCase() === stroke.key;
}

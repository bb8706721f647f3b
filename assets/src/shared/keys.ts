import { isStroke, parseChord, type Stroke } from "./chords";
import { Scope } from "./scope";

/** One row of the keys sheet and the binding behind it. */
export interface KeyRow {
  /** As shown: "Ctrl K", "g q". Several, all bound, are told apart by commas: "+, =". */
  chord: string;
  /** What it does, in a few words. */
  does: string;
  run: (event: KeyboardEvent) => void;
  /** Acts while a text field has the focus too. Chords with Ctrl always do. */
  inFields?: boolean;
}

/** One group of the keys sheet. */
export interface KeyTable {
  title: string;
  rows: readonly KeyRow[];
}

interface Binding {
  strokes: Stroke[];
  row: KeyRow;
}

const shown = new Set<KeyTable>();

/** The tables bound at present: what the keys sheet shows. */
export function keyTables(): readonly KeyTable[] {
  return [...shown];
}

/** How long the second stroke of "g q" may take, in milliseconds. */
const patience = 1200;

/**
 * Binds every row of a table until the scope is disposed. Keys are heard on
 * target: the document, or the element whose focus they need.
 */
export function bindKeys(scope: Scope, table: KeyTable, target: Document | HTMLElement = document): void {
  shown.add(table);
  scope.add(() => shown.delete(table));
  const bindings: Binding[] = table.rows.flatMap((row) =>
    row.chord.split(", ").map((chord) => ({ strokes: parseChord(chord), row })),
  );
  let begun: Stroke | undefined;
  let forget = () => {};
  scope.on(target as EventTarget, "keydown", (event) => {
    if (!(event instanceof KeyboardEvent) || event.defaultPrevented || event.isComposing) return;
    const typing = isTyping(event);
    const awaited = begun;
    forget();
    for (const { strokes, row } of bindings) {
      const [first, second] = strokes;
      if (!first || (typing && !first.ctrl && !row.inFields)) continue;
      if (second && awaited !== undefined && sameStroke(first, awaited) && isStroke(second, event)) {
        event.preventDefault();
        row.run(event);
        return;
      }
      if (!second && awaited === undefined && isStroke(first, event)) {
        event.preventDefault();
        row.run(event);
        return;
      }
    }
    const start = bindings.find(({ strokes: [first, second] }) => !typing && first && second && isStroke(first, event))?.strokes[0];
    if (!start) return;
    begun = start;
    const cancel = scope.after(patience, () => (begun = undefined));
    forget = () => {
      begun = undefined;
      cancel();
    };
  });
}

function sameStroke(a: Stroke, b: Stroke): boolean {
  return a.key === b.key && a.ctrl === b.ctrl && a.alt === b.alt && a.shift === b.shift;
}

function isTyping(event: KeyboardEvent): boolean {
  const target = event.composedPath()[0];
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !["button", "checkbox", "radio", "range", "submit", "file"].includes(target.type);
}

import { type Box, type Boxes, type Change, same } from "./model";

interface Command {
  readonly label: string;
  readonly merge: string;
  readonly at: number;
  readonly changes: readonly Change[];
}

// Key presses of one kind within this time become one step of undo.
const together = 800;

/** Everything that was done to the boxes of one item, to be undone and redone without limit. */
export class History {
  private done: Command[] = [];
  private undone: Command[] = [];

  constructor(private readonly boxes: Boxes) {}

  get canUndo(): boolean {
    return this.done.length > 0;
  }

  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  /**
   * Applies the changes and remembers them under `label`. Commands with the same
   * `merge` key within 800 ms of `now` (milliseconds) become one.
   */
  run(label: string, changes: readonly Change[], merge = "", now = 0): void {
    if (changes.length === 0) return;
    this.boxes.apply(changes);
    this.undone = [];
    const last = this.done.at(-1);
    if (last && merge !== "" && last.merge === merge && now - last.at <= together) {
      this.done[this.done.length - 1] = { label, merge, at: now, changes: joined(last.changes, changes) };
    } else {
      this.done.push({ label, merge, at: now, changes });
    }
  }

  /** Takes the last command back and returns its label, or null where there is none. */
  undo(): string | null {
    const command = this.done.pop();
    if (!command) return null;
    this.boxes.revert(command.changes);
    this.undone.push(command);
    return command.label;
  }

  redo(): string | null {
    const command = this.undone.pop();
    if (!command) return null;
    this.boxes.apply(command.changes);
    this.done.push({ ...command, merge: "" });
    return command.label;
  }
}

function joined(first: readonly Change[], then: readonly Change[]): readonly Change[] {
  const paired =
    first.length === then.length && first.every((c, i) => c.at === then[i]?.at && c.after?.id === then[i]?.before?.id);
  return paired ? first.map((c, i) => ({ ...c, after: then[i]?.after ?? null })) : [...first, ...then];
}

export function adding(boxes: Boxes, box: Box): Change[] {
  return [{ at: boxes.all.length, before: null, after: box }];
}

export function removing(boxes: Boxes, id: string): Change[] {
  const at = boxes.indexOf(id);
  const before = boxes.all[at];
  return before ? [{ at, before, after: null }] : [];
}

/** The box of that id put in place of the one there is; nothing where they are equal. */
export function replacing(boxes: Boxes, after: Box): Change[] {
  const at = boxes.indexOf(after.id);
  const before = boxes.all[at];
  return before && !same(before, after) ? [{ at, before, after }] : [];
}

/** All boxes taken out and others put in: a draft of another window, taken over. */
export function replacingAll(boxes: Boxes, others: readonly Box[]): Change[] {
  const out = boxes.all.map((before): Change => ({ at: 0, before, after: null }));
  return [...out, ...others.map((after, at): Change => ({ at, before: null, after }))];
}

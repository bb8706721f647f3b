import { type Box, Boxes, type Change, same } from "./model";

/** What goes with a step beside the boxes; done when it is done, undone with it. */
export interface Aside {
  readonly redo: () => void;
  readonly undo: () => void;
}

interface Command {
  readonly label: string;
  readonly merge: string;
  readonly at: number;
  readonly changes: readonly Change[];
  readonly aside?: Aside;
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

  /** Applies the changes with something beside the boxes as one step of its own. */
  runWith(label: string, changes: readonly Change[], aside: Aside): void {
    this.boxes.apply(changes);
    aside.redo();
    this.undone = [];
    this.done.push({ label, merge: "", at: 0, changes, aside });
  }

  /** Takes the last command back and returns its label, or null where there is none. */
  undo(): string | null {
    const command = this.done.pop();
    if (!command) return null;
    this.boxes.revert(command.changes);
    command.aside?.undo();
    this.undone.push(command);
    return command.label;
  }

  redo(): string | null {
    const command = this.undone.pop();
    if (!command) return null;
    this.boxes.apply(command.changes);
    command.aside?.redo();
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

/** These boxes put in place of those of their ids, or in as new ones, and those of the ids in `drop` taken out. */
export function altering(boxes: Boxes, put: readonly Box[], drop: readonly string[]): Change[] {
  const after = new Boxes(boxes.all);
  const changes: Change[] = [];
  const add = (some: readonly Change[]): void => {
    after.apply(some);
    changes.push(...some);
  };
  for (const id of drop) add(removing(after, id));
  for (const box of put) add(after.get(box.id) ? replacing(after, box) : adding(after, box));
  return changes;
}

/** All boxes taken out and others put in: a draft of another window, taken over. */
export function replacingAll(boxes: Boxes, others: readonly Box[]): Change[] {
  const out = boxes.all.map((before): Change => ({ at: 0, before, after: null }));
  return [...out, ...others.map((after, at): Change => ({ at, before: null, after }))];
}

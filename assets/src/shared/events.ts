import type { Scope } from "./scope";

/** How a notice is meant; each has its icon and colour. */
export type Tone = "" | "ok" | "warn" | "bad" | "info";

/** A file that was chosen or dropped; path holds its folders too. */
export interface ChosenFile {
  file: File;
  path: string;
}

/**
 * The events that islands send each other, by name. An entry adds its own:
 * `declare module "../shared/events" { interface Events { … } }`.
 */
export interface Events {
  /** Shown as a toast. The server sends it too, in the HX-Trigger header. */
  notice: { tone: Tone; text: string };
  /** A drop zone was given files. */
  "files:drop": { files: ChosenFile[] };
}

/** Sends an event that bubbles from target. */
export function emit<K extends keyof Events>(target: EventTarget, name: K, detail: Events[K]): void {
  target.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
}

/** Hears an event on target or below it until the scope is disposed. */
export function listen<K extends keyof Events>(scope: Scope, target: EventTarget, name: K, run: (detail: Events[K], event: CustomEvent<Events[K]>) => void): void {
  scope.on(target, name, (event) => {
    if (event instanceof CustomEvent) run(event.detail as Events[K], event);
  });
}

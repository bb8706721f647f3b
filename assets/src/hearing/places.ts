// The places where answers differ, and the way from one to the next.
import type { State, Thing } from "./state";

/** A place where the answers differ: a part of the words, or a moment. */
export type Place = { readonly slot: number } | { readonly thing: Thing };

/** The words' places in the order in which they are spoken, and behind them the moments. */
export function placesOf(differing: readonly number[], things: readonly Thing[]): Place[] {
  return [...differing.map((slot): Place => ({ slot })), ...things.map((thing): Place => ({ thing }))];
}

export function indexOf(places: readonly Place[], place: Place | null): number {
  return places.findIndex((p) => place !== null && ("slot" in p ? "slot" in place && p.slot === place.slot : "thing" in place && p.thing === place.thing));
}

/** The place after or before another, round and round: from none the first or the last. */
export function stepped(places: readonly Place[], from: Place | null, by: 1 | -1): Place | null {
  const at = indexOf(places, from);
  return places[at < 0 ? (by === 1 ? 0 : places.length - 1) : (at + by + places.length) % places.length] ?? null;
}

/** The next place that is still open, behind another and then from the beginning on. */
export function nextOpen(places: readonly Place[], from: Place | null, isOpen: (place: Place) => boolean): Place | null {
  const at = indexOf(places, from);
  const rest = [...places.slice(at + 1), ...places.slice(0, Math.max(at, 0))];
  return rest.find(isOpen) ?? null;
}

/** When a moment is: as most have it, else as the first who has it. */
export function spanOf(state: State, thing: Thing): { readonly x: number; readonly w: number } | null {
  const at = thing.members.findIndex((m) => m >= 0);
  return thing.merged ?? state.answers[at]?.moments[thing.members[at] ?? -1] ?? null;
}

// What a reason would be pinned to, and what would be said of whom.
import { type Place, spanOf } from "./places";
import { type Answer, clock, type Part, type State, type Thing } from "./state";

export interface Pin {
  readonly position: number | null;
  readonly x: number | null;
  readonly y: number | null;
}

/** What is looked at: where a reason for an answer would be pinned, and what would be said of whom. */
export interface Ground {
  readonly words: string;
  pin(annotation: number): Pin;
  readonly guesses: readonly { readonly letter: string; readonly fault: string }[];
}

/** The ground at a place, else at the play head, in seconds, where somebody put it, null for nowhere, else that of a whole answer. */
export function groundOf(state: State, place: Place | null, head: number | null): Ground {
  const said = place && "slot" in place ? state.parts[place.slot] : null;
  if (said) return { words: `about the words at ${clock(said.begin)}`, pin: () => ({ position: null, x: said.begin, y: 0 }), guesses: state.answers.flatMap((a, i) => guessAtWords(said, a, i)) };
  if (place && "thing" in place) return groundOfMoment(state, place.thing);
  const time = head === null ? 0 : Math.min(state.seconds, Math.max(0, head));
  if (time > 0) return { words: `at the play head, ${clock(time)}`, pin: () => ({ position: null, x: time, y: 0 }), guesses: [] };
  return { words: "about a whole answer; click the waveform for a place", pin: () => ({ position: null, x: null, y: null }), guesses: [] };
}

function guessAtWords(said: Part, answer: Answer, i: number): { letter: string; fault: string }[] {
  const most = said.variants[0]?.text ?? "";
  const own = said.own[i] ?? "";
  if (!said.variants.slice(1).some((v) => v.who.split(", ").includes(answer.letter))) return [];
  return [{ letter: answer.letter, fault: own === "" ? "missed_words" : most === "" || own !== "" ? "wrong_words" : "" }];
}

function groundOfMoment(state: State, thing: Thing): Ground {
  const place = spanOf(state, thing);
  return {
    words: `about moment ${state.objects.indexOf(thing) + 1}`,
    pin: (annotation) => {
      const at = thing.members[state.answers.findIndex((a) => a.id === annotation)] ?? -1;
      return at >= 0 ? { position: at, x: null, y: null } : { position: null, x: place ? place.x + place.w / 2 : 0, y: 0 };
    },
    guesses: state.answers.flatMap((a, i) => {
      const own = a.moments[thing.members[i] ?? -1];
      if (!own) return [{ letter: a.letter, fault: "missed_moment" }];
      if (thing.merged && own.class !== thing.merged.class) return [{ letter: a.letter, fault: "wrong_class" }];
      return thing.finding === "loose" ? [{ letter: a.letter, fault: "wrong_time" }] : [];
    }),
  };
}

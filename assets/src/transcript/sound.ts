// What is fetched of an utterance: its sound, on its way as soon as it is asked for, and the outline of it.
import type { State } from "../boxes/contract";

/** The outline that the server drew: for each channel the lowest and the highest of each point in turn, from −127 to 127. */
export interface Outline {
  readonly seconds: number;
  /** Seconds of the sound before and after the utterance. */
  readonly left: number;
  readonly right: number;
  readonly channels: number;
  readonly peaks: readonly (readonly number[])[];
}

export interface Sound {
  readonly audio: HTMLAudioElement;
  /** Null where it could not be had; the sound can be heard all the same. */
  readonly outline: Promise<Outline | null>;
}

// As many points as the waveform has bars at its usual scale, within what the server draws.
const pointsPerSecond = 60;
const mostPoints = 4000;

export function fetchOutline(state: State): Promise<Outline | null> {
  const { sound } = state;
  if (!sound) return Promise.resolve(null);
  const all = sound.seconds + sound.lead + sound.trail;
  const width = Math.max(200, Math.min(mostPoints, Math.round(all * pointsPerSecond)));
  return fetch(`${sound.peaks}?width=${width}`, { headers: { Accept: "application/json" } })
    .then((r) => (r.ok ? (r.json() as Promise<Outline>) : null))
    .catch(() => null);
}

/** Begins to load the sound of a task, and does not wait for it. */
export async function load(state: State): Promise<Sound> {
  const audio = new Audio();
  audio.preload = "auto";
  audio.src = state.sound?.src ?? "";
  return { audio, outline: fetchOutline(state) };
}

/** The outline as the waveform's drawer takes it: above the middle and below it; of two channels one each. */
export function drawn(outline: Outline): Float32Array[] {
  const half = (list: readonly number[], side: 0 | 1): Float32Array => {
    const values = new Float32Array(list.length >> 1);
    for (let i = 0; i < values.length; i++) values[i] = Math.abs(list[2 * i + side] ?? 0) / 127;
    return values;
  };
  const both = (list: readonly number[]): Float32Array => {
    const [low, high] = [half(list, 0), half(list, 1)];
    return high.map((v, i) => Math.max(v, low[i] ?? 0));
  };
  const [first, second] = outline.peaks;
  if (!first) return [new Float32Array(1)];
  return second ? [both(first), both(second)] : [half(first, 1), half(first, 0)];
}

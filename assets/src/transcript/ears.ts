// What of a recording reaches the ears: its channels side by side, or one of them alone in both.
import type { Scope } from "../shared/scope";

/** How loud a channel is on the left and on the right. Of two channels that sound together each has a side of its own. */
export function loudness(channel: number, only: number, channels: number): readonly [number, number] {
  if (only !== 0) return channel === only ? [1, 1] : [0, 0];
  if (channels !== 2) return [1, 1];
  return channel === 1 ? [1, 0] : [0, 1];
}

export class Ears {
  private alone = 0;
  private sides: readonly (readonly [GainNode, GainNode])[] = [];

  constructor(
    private readonly audio: HTMLAudioElement,
    private readonly channels: number,
    private readonly scope: Scope,
  ) {}

  /** The channel that is heard alone, from 1; 0 while all are. */
  get only(): number {
    return this.alone;
  }

  /** Hears the next channel alone; after the last, all of them. */
  next(): void {
    if (this.sides.length === 0) this.sides = this.wired();
    this.alone = (this.alone + 1) % (this.channels + 1);
    this.sides.forEach((sides, i) => {
      const loud = loudness(i + 1, this.alone, this.channels);
      sides.forEach((side, ear) => (side.gain.value = loud[ear] ?? 0));
    });
  }

  // The sound goes straight to the speakers until somebody asks for one channel: that needs no graph, and cannot fail.
  private wired(): [GainNode, GainNode][] {
    const context = new AudioContext();
    this.scope.add(() => void context.close());
    void context.resume();
    const [splitter, merger] = [context.createChannelSplitter(this.channels), context.createChannelMerger(2)];
    context.createMediaElementSource(this.audio).connect(splitter);
    merger.connect(context.destination);
    const side = (channel: number, ear: 0 | 1): GainNode => {
      const gain = context.createGain();
      splitter.connect(gain, channel);
      gain.connect(merger, 0, ear);
      return gain;
    };
    return Array.from({ length: this.channels }, (_, channel) => [side(channel, 0), side(channel, 1)]);
  }
}

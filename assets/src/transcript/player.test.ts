import assert from "node:assert/strict";
import { test } from "node:test";
import { Scope } from "../shared/scope";
import { Player } from "./player";

// What a player needs of an audio element.
class Sound extends EventTarget {
  currentTime = 0;
  paused = true;
  ended = false;
  preservesPitch = true;
  playbackRate = 1;
  defaultPlaybackRate = 1;
  play(): Promise<void> {
    this.paused = false;
    return Promise.resolve();
  }
  pause(): void {
    this.paused = true;
  }
}

function begun(lead: number): { sound: Sound; player: Player } {
  const sound = new Sound();
  return { sound, player: new Player(sound as unknown as HTMLAudioElement, lead, 20, new Scope(), () => undefined) };
}

test("goes on a second before where it was stopped", () => {
  const { sound, player } = begun(3);
  player.toggle();
  sound.currentTime = 3 + 7;
  player.toggle();
  assert.equal(sound.paused, true);
  assert.equal(player.time, 7);
  player.toggle();
  assert.equal(sound.paused, false);
  assert.equal(player.time, 6);
});

test("goes on where the head was put, and never before the utterance", () => {
  const { sound, player } = begun(3);
  player.toggle();
  sound.currentTime = 3 + 7;
  player.toggle();
  player.seek(4);
  player.toggle();
  assert.equal(player.time, 4);
  sound.currentTime = 3 + 0.4;
  player.toggle();
  player.toggle();
  assert.equal(player.time, 0);
});

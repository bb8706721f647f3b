import { chordOf } from "../boxes/keys";
import { island } from "../shared/islands";

/** Keys that do what they do in every field, unless Ctrl or Alt is held. */
const editing: readonly string[] = ["Enter", "Escape"];
const passing: readonly string[] = ["Tab", "Control", "Alt", "Shift", "Meta", "AltGraph"];

/** A field of the table of keys takes the chord that is pressed in it; Backspace empties it. */
island("form[data-own-keys] input", (input, scope) => {
  if (!(input instanceof HTMLInputElement)) return;
  scope.on(input, "keydown", (event) => {
    const bare = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (event.isComposing || passing.includes(event.key) || (bare && editing.includes(event.key))) return;
    event.preventDefault();
    input.value = bare && event.key === "Backspace" ? "" : chordOf(event);
  });
});

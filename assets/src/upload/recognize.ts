import { zipEntries, zipHead, type Sliced } from "./zip";

export type Format =
  | "images" | "coco" | "voc" | "yolo" | "cvat" | "labelstudio"
  | "audio" | "nemo" | "ctm" | "stm" | "vtt" | "srt" | "textgrid" | "hypotheses";

/** A file that was chosen. */
export interface Chosen extends Sliced {
  readonly name: string;
}

/** A file that tells of its format, itself or in an archive; head is its beginning. */
interface Witness {
  readonly name: string;
  head(): Promise<string>;
}

/** How much of a label file is looked at. */
const looked = 64 << 10;
/** How many label files are looked at before none is taken to tell. */
const witnesses = 5;
/** Files that this product, or a label tool, writes beside labels. */
const beside = /(^|\/)(labeling-interface\.xml|report\.json|notes\.json|readme[^/]*\.txt)$/i;

/** The format of what was chosen, by the names of the files, those in zips too, and by how label files begin; null if nothing tells. */
export async function recognize(files: readonly Chosen[], kind = "image"): Promise<Format | null> {
  const all: Witness[] = [];
  for (const file of files) {
    if (file.name.toLowerCase().endsWith(".zip")) {
      for (const entry of await zipEntries(file).catch(() => [])) all.push({ name: entry.name, head: async () => decode(await zipHead(file, entry, looked)) });
    } else {
      all.push({ name: file.name, head: async () => decode(await file.slice(0, looked).arrayBuffer()) });
    }
  }
  const labels = all.filter(({ name }) => !beside.test(name));
  if (labels.length === 0) return null;
  if (kind === "audio") return ofSound(labels);
  if (isYOLO(labels.map(({ name }) => name.toLowerCase()))) return "yolo";
  return (await tell(labels, ".xml", ofXML)) ?? (await tell(labels, ".json", ofJSON)) ?? "images";
}

/** Formats of transcripts whose files tell by their names. */
const transcripts: readonly Format[] = ["ctm", "stm", "vtt", "srt", "textgrid"];

/** The format of what goes with recordings, or of recordings alone. */
async function ofSound(files: readonly Witness[]): Promise<Format> {
  for (const { name } of files) {
    const format = transcripts.find((one) => name.toLowerCase().endsWith("." + one));
    if (format) return format;
  }
  for (const file of files.filter(({ name }) => /\.(jsonl|ndjson|json)$/i.test(name)).slice(0, witnesses)) {
    const head = await file.head().catch(() => "");
    if (/"audio_filepath"\s*:/.test(head)) return "nemo";
    if (/"utt_id"\s*:/.test(head)) return "hypotheses";
    if (ofJSON(head) === "labelstudio") return "labelstudio";
  }
  return "audio";
}

function decode(bytes: ArrayBuffer): string {
  return new TextDecoder().decode(bytes);
}

/** What the first files with an extension tell; what they do not, the last guess of read does. */
async function tell(files: readonly Witness[], extension: string, read: (head: string) => Format | null): Promise<Format | null> {
  const some = files.filter(({ name }) => name.toLowerCase().endsWith(extension)).slice(0, witnesses);
  for (const file of some) {
    const format = read(await file.head().catch(() => ""));
    if (format) return format;
  }
  if (some.length === 0) return null;
  return extension === ".xml" ? "voc" : "coco";
}

/** YOLO has names of classes and a text file for each image. */
function isYOLO(names: readonly string[]): boolean {
  const texts = names.filter((name) => name.endsWith(".txt") && !/(^|\/)imagesets\//.test(name));
  if (texts.some((name) => /(^|\/)labels\//.test(name))) return true;
  return texts.length > 0 && names.some((name) => /\.(ya?ml|names)$|(^|\/)classes\.txt$/.test(name));
}

function ofXML(head: string): Format | null {
  if (/<annotations[\s>]/.test(head)) return "cvat";
  return /<annotation[\s>]/.test(head) ? "voc" : null;
}

function ofJSON(head: string): Format | null {
  const text = head.replace(/^\uFEFF?\s*/, "");
  const isTask = /"(data|annotations|completions|predictions|result)"\s*:\s*[[{]/.test(text);
  if (text.startsWith("[")) return isTask && !/"image_id"\s*:/.test(text) ? "labelstudio" : "coco";
  if (/"(images|categories|annotations|info|licenses)"\s*:/.test(text) && !/"result"\s*:/.test(text)) return "coco";
  return isTask ? "labelstudio" : null;
}

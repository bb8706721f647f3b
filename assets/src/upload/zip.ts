/** A file in a zip archive: its name, and where its bytes begin. */
export interface ZipEntry {
  readonly name: string;
  readonly packed: number;
  readonly method: number;
  readonly header: number;
}

/** The part of a file that can be read piece by piece. */
export interface Sliced {
  readonly size: number;
  slice(from: number, to: number): Blob;
}

const stored = 0;
const deflated = 8;
/** How much of a directory is read: some hundred thousand names. */
const largestDirectory = 32 << 20;

async function view(file: Sliced, from: number, to: number): Promise<DataView> {
  return new DataView(await file.slice(Math.max(0, from), Math.min(to, file.size)).arrayBuffer());
}

/** The directory of a zip archive; empty for what is none, or is larger than such an archive may be. */
export async function zipEntries(file: Sliced): Promise<ZipEntry[]> {
  const tail = await view(file, file.size - 65_557, file.size);
  let end = tail.byteLength - 22;
  while (end >= 0 && tail.getUint32(end, true) !== 0x06054b50) end--;
  if (end < 0) return [];
  const size = tail.getUint32(end + 12, true);
  const start = tail.getUint32(end + 16, true);
  if (start + size > file.size || size > largestDirectory) return [];
  const directory = await view(file, start, start + size);
  const names = new TextDecoder();
  const entries: ZipEntry[] = [];
  for (let at = 0; at + 46 <= directory.byteLength && directory.getUint32(at, true) === 0x02014b50; ) {
    const length = directory.getUint16(at + 28, true);
    const name = names.decode(directory.buffer.slice(at + 46, at + 46 + length));
    if (!name.endsWith("/")) {
      entries.push({ name, packed: directory.getUint32(at + 20, true), method: directory.getUint16(at + 10, true), header: directory.getUint32(at + 42, true) });
    }
    at += 46 + length + directory.getUint16(at + 30, true) + directory.getUint16(at + 32, true);
  }
  return entries;
}

/** The first bytes of a file in an archive, unpacked; empty if they cannot be. */
export async function zipHead(file: Sliced, entry: ZipEntry, bytes: number): Promise<ArrayBuffer> {
  const header = await view(file, entry.header, entry.header + 30);
  if (header.byteLength < 30 || header.getUint32(0, true) !== 0x04034b50) return new ArrayBuffer(0);
  const start = entry.header + 30 + header.getUint16(26, true) + header.getUint16(28, true);
  const packed = file.slice(start, start + Math.min(entry.packed, bytes));
  if (entry.method === stored) return packed.arrayBuffer();
  if (entry.method !== deflated) return new ArrayBuffer(0);
  const reader = packed.stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const parts: BlobPart[] = [];
  for (let length = 0; length < bytes; ) {
    // What is cut off ends in an error, behind what could be unpacked.
    const part = await reader.read().catch(() => null);
    if (!part || part.done) break;
    parts.push(part.value);
    length += part.value.byteLength;
  }
  void reader.cancel().catch(() => undefined);
  return new Blob(parts).slice(0, bytes).arrayBuffer();
}

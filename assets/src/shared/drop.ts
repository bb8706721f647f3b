import { emit, type ChosenFile } from "./events";
import { island } from "./islands";

/** Makes every [data-drop] take dropped files and folders, and chosen ones alike, as the event "files:drop". */
export function startDropzones(): void {
  island("[data-drop]", (zone, scope) => {
    let depth = 0;
    const over = (change: number) => {
      depth = Math.max(0, depth + change);
      zone.classList.toggle("over", depth > 0);
    };
    scope.on(zone, "dragenter", () => over(1));
    scope.on(zone, "dragleave", () => over(-1));
    scope.on(zone, "dragover", (event) => event.preventDefault());
    scope.on(zone, "drop", (event) => {
      event.preventDefault();
      over(-depth);
      if (!event.dataTransfer) return;
      void droppedFiles(event.dataTransfer).then((files) => {
        if (!scope.disposed && files.length > 0) emit(zone, "files:drop", { files });
      });
    });
    scope.on(zone, "change", (event) => {
      const input = event.target;
      if (!(input instanceof HTMLInputElement) || !input.files?.length) return;
      emit(zone, "files:drop", { files: [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })) });
    });
  });
}

/** The files of a drop, those inside dropped folders included. */
async function droppedFiles(transfer: DataTransfer): Promise<ChosenFile[]> {
  // The list is emptied once the event is over: entries are taken before anything is awaited.
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  const nested = await Promise.all(entries.map((entry) => filesBelow(entry, "")));
  return nested.flat();
}

async function filesBelow(entry: FileSystemEntry, folder: string): Promise<ChosenFile[]> {
  const path = folder + entry.name;
  if (entry instanceof FileSystemFileEntry) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    return [{ file, path }];
  }
  if (!(entry instanceof FileSystemDirectoryEntry)) return [];
  const reader = entry.createReader();
  const files: ChosenFile[] = [];
  // A reader gives a hundred entries at a time, and none at the end.
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (batch.length === 0) return files;
    for (const child of batch) files.push(...(await filesBelow(child, `${path}/`)));
  }
}

// Prints a Parquet file as JSON, read by hyparquet: node read.mjs FILE
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";

const file = await asyncBufferFromFile(process.argv[2]);
const metadata = await parquetMetadataAsync(file);
// Binary columns come as hexadecimal, whole numbers of 64 bits as numbers.
const plain = (_, value) => {
  if (typeof value === "bigint") return Number(value);
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
};
const rows = await parquetReadObjects({ file, utf8: false });
const keys = Object.fromEntries((metadata.key_value_metadata ?? []).map(({ key, value }) => [key, value]));
const tree = metadata.schema.slice(1).map((column) => `${column.name} ${column.repetition_type}`).join("\n");
process.stdout.write(JSON.stringify({ Rows: rows, Keys: keys, Tree: tree }, plain));

/** The thread of parquet.ts: opens files and answers with the values of their columns, one request after the other. */
import { parentPort } from "node:worker_threads";
import { type ColumnValues, type ParquetFile, ParquetReader } from "./parquetReader";

/** Opens a file in place of the one before, reads some columns of a row group, or closes the file. */
export type ParquetRequest =
  | { readonly open: string }
  | { readonly group: number; readonly columns: readonly string[]; readonly keepNulls: boolean }
  | "close";

/** `failure` is what is wrong with the file. */
export type ParquetAnswer = { readonly opened: ParquetFile } | ColumnValues | { readonly failure: string } | "closed";

let reader: ParquetReader | undefined;

async function answer(request: ParquetRequest): Promise<ParquetAnswer> {
  if (request === "close" || "open" in request) {
    const before = reader;
    reader = undefined;
    await before?.close();
    if (request === "close") return "closed";
    const { columns, groups } = (reader = await ParquetReader.open(request.open));
    return { opened: { columns, groups } };
  }
  const { group, columns, keepNulls } = request;
  return reader!.read(group, columns, keepNulls);
}

if (parentPort) {
  const port = parentPort;
  const failed = (error: unknown): ParquetAnswer => ({ failure: (error as Error).message });
  port.on("message", (request: ParquetRequest) => {
    void answer(request)
      .catch(failed)
      .then((each) => port.postMessage(each));
  });
}

/** A thread of parquet.ts: opens one file, says what it holds, then answers each request with the values of columns. */
import { parentPort, workerData } from "node:worker_threads";
import { type ParquetFile, ParquetReader } from "./parquetReader";

/** Which columns of which row group. */
export interface ParquetRequest {
  readonly group: number;
  readonly columns: readonly string[];
  readonly keepNulls: boolean;
}

/** `failure` is what is wrong with the file. */
export type ParquetAnswer =
  | { readonly opened: ParquetFile }
  | { readonly values: unknown[][] }
  | { readonly failure: string };

if (parentPort) {
  const port = parentPort;
  const answer = (value: Promise<ParquetAnswer>): void => {
    const failed = (error: unknown): ParquetAnswer => ({ failure: (error as Error).message });
    void value.catch(failed).then((each) => port.postMessage(each));
  };
  const reader = ParquetReader.open(workerData as string);
  answer(reader.then(({ columns, groups }) => ({ opened: { columns, groups } })));
  port.on("message", ({ group, columns, keepNulls }: ParquetRequest) =>
    answer(reader.then(async (open) => ({ values: await open.read(group, columns, keepNulls) }))));
}

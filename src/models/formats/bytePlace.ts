/** Where the tensors of a file of weights are. */
import { FolderError } from "../folder";

/** Where a tensor is in its file, in bytes. */
export interface BytePlace {
  readonly start: number;
  readonly end: number;
}

/**
 * Throws unless a tensor begins at byte `at`, where the one before it ends, and lies within its file.
 *
 * @throws FolderError
 */
export function expectPlace(name: string, { start, end }: BytePlace, at: number, file: string, fileSize: number): void {
  if (start !== at)
    throw new FolderError(
      `Expected '${name}' at byte ${at} of ${file} but received ${start}; tensors ` + (start < at ? "overlap" : "leave a gap"),
    );
  if (!(end <= fileSize))
    throw new FolderError(
      `Expected '${name}' to end within the ${fileSize} bytes of ${file} but received ${end}; it is cut short`,
    );
}

/** A data set by its name: a path as it is, or what the hub has under that name. */
import { HubError, type ResolveOptions, resolveFolder } from "../../hub";

/** As `resolveFolder`; where the hub cannot be asked, the error says which data set was wanted and what else there is. */
export async function resolveDataSet(source: string, options: Omit<ResolveOptions, "kind"> = {}): Promise<string> {
  try {
    return await resolveFolder(source, { kind: "dataset", ...options });
  } catch (error) {
    if (!(error instanceof HubError) || (error.reason !== "unreachable" && error.reason !== "offline")) throw error;
    const instead = `'${source}' was taken for a data set of the hub; a file or folder on this disk can be named instead.`;
    throw new HubError(`${error.message}\n${instead}`, error.reason, { cause: error });
  }
}

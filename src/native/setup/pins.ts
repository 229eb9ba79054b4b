/**
 * The libtorch that `smaug setup` fetches, and the SHA-256 of everything it may fetch it from: shared libraries run as
 * part of the process, so nothing is unpacked before its digest has been compared.
 */

/** The version that setup fetches. */
export const pinned = "2.13.0";

export interface PinnedArchive {
  url: string;
  bytes: number;
  sha256: string;
}

/** The official archive of libtorch for the CPU. */
export const officialArchive: PinnedArchive = {
  url: `https://download.pytorch.org/libtorch/cpu/libtorch-shared-with-deps-${pinned}%2Bcpu.zip`,
  bytes: 126_385_248,
  sha256: "edbf4cbed78433d803e90a65f1752e57783d164bce66c95c0872b2ab8f5c159e",
};

/**
 * PyTorch's wheels for the CPU, by name. Any of them will do: they differ only in the part for Python, which is not
 * unpacked.
 */
export const wheels: Readonly<Record<string, string>> = {
  [wheel("cp311-cp311")]: "6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b",
  [wheel("cp312-cp312")]: "4ca4a9394b0c771238a4f73590fdbbc4debad85ed0fa63d026ae1b085da7d6e2",
  [wheel("cp313-cp313")]: "3fbf9c9d1f3c10c2d59d04aca426dee9ccc6ceb32d255c61e93acc3b4f75fae6",
  [wheel("cp314-cp314")]: "d20fa53ee744502fa4c69818a720b05ca0d37abd055d4f6e66cae155114bc691",
  [wheel("cp314-cp314t")]: "b222c15a0fc2ce207d1c1a59700b46c8fa6748df1f447ad11e5c870dde0933d9",
  [wheel("cp315-cp315")]: "1a3a35229fdc13446b4eab50e7fcf9399ff941e89a3b761497786297a5d8dde5",
  [wheel("cp315-cp315t")]: "222a6681467cc7f6f05cd3068dfbc603def3a1e46d1d4620c1c8cdf6178bd563",
};

function wheel(python: string): string {
  return `torch-${pinned}+cpu-${python}-manylinux_2_28_x86_64.whl`;
}

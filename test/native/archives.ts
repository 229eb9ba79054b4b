/** Zip archives made byte by byte, so that they may be as wrong as an archive from outside. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { crc32, deflateRawSync } from "node:zlib";
import { packageRoot } from "../../src/base/package";
import { findAddon } from "../../src/native/addon";

/** A real shared library, the smallest at hand. */
export const library = readFileSync(findAddon(packageRoot, "loader").addon!.file);

export interface ZipEntry {
  name: string;
  data?: string | Buffer;
  /** A Unix file mode, such as 0o120777 for a symbolic link. */
  mode?: number;
  deflated?: boolean;
  flags?: number;
  /** What the headers claim, where that is not what is there. */
  claims?: { crc?: number; bytes?: number; compressed?: number };
  /** Sizes and offset in 64 bits, in an extra field. */
  zip64?: boolean;
  /** The entry whose data this one names as its own. */
  sharesDataOf?: number;
}

/** An archive of these entries. */
export function zip(entries: readonly ZipEntry[]): Buffer {
  const local: Buffer[] = [];
  const central: Buffer[] = [];
  const offsets: number[] = [];
  let offset = 0;
  for (const { name, data = "", mode = 0, deflated = false, flags = 0, claims = {}, zip64 = false, sharesDataOf } of entries) {
    const [path, content] = [Buffer.from(name), Buffer.from(data as string)];
    const stored = deflated ? deflateRawSync(content) : content;
    const { crc = crc32(content), bytes = content.length, compressed = stored.length } = claims;
    const start = sharesDataOf === undefined ? offset : offsets[sharesDataOf]!;
    offsets.push(start);
    const extra = zip64 ? extra64(bytes, compressed, start) : Buffer.alloc(0);
    const common = Buffer.alloc(26); // version needed, flags, method, time, date, CRC, sizes, name and extra lengths
    common.writeUInt16LE(zip64 ? 45 : 20, 0);
    common.writeUInt16LE(flags, 2);
    common.writeUInt16LE(deflated ? 8 : 0, 4);
    common.writeUInt32LE(crc, 10);
    common.writeUInt32LE(zip64 ? 0xffffffff : compressed, 14);
    common.writeUInt32LE(zip64 ? 0xffffffff : bytes, 18);
    common.writeUInt16LE(path.length, 22);
    const inFile = Buffer.concat([Buffer.from("PK\x03\x04"), common, path, stored]);
    common.writeUInt16LE(extra.length, 24);
    const rest = Buffer.alloc(14); // comment length, disk, attributes, offset
    rest.writeUInt32LE((mode << 16) >>> 0, 6);
    rest.writeUInt32LE(zip64 ? 0xffffffff : start, 10);
    central.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x03"), common, rest, path, extra]));
    if (sharesDataOf !== undefined) continue;
    local.push(inFile);
    offset += inFile.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(directory.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...local, directory, Buffer.from("PK\x05\x06"), end]);
}

function extra64(bytes: number, compressed: number, offset: number): Buffer {
  const extra = Buffer.alloc(28);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(24, 2);
  [bytes, compressed, offset].forEach((value, at) => extra.writeBigUInt64LE(BigInt(value), 4 + 8 * at));
  return extra;
}

/** What the official archive (`libtorch`) and a wheel (`torch`) hold, in small. */
export function libtorchEntries(prefix: string, others: Record<string, string | Buffer> = {}): ZipEntry[] {
  const files = {
    "build-version": "2.13.0+cpu\n",
    "lib/libtorch_cpu.so": library,
    "lib/libtorch_python.so": "not for us",
    "lib/libgomp.so.1": library,
    "lib/libdnnl.a": "static",
    "include/ATen/ATen.h": "header",
    "share/cmake/Torch/TorchConfig.cmake": "",
    ...others,
  };
  return Object.entries(files).map(([name, data]) => ({ name: `${prefix}/${name}`, data }));
}

export function sha256(data: Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

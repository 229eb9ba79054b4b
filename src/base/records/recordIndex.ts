/**
 * Where records are, by the first 8 bytes of their keys: a hash table with open addressing in typed arrays, 24 bytes a
 * slot, so that 400,000 records take 13 MB rather than a hundred. Several records of a key are kept, as one may be
 * damaged.
 */
const MAX_LOAD = 0.8;
/** Records of one key; more of them would make a file of copies slow to read. */
const MAX_COPIES = 4;
const REMOVED = 0xffff_ffff;

export class RecordIndex {
  private capacity = 1024;
  private used = 0;
  private low = new Uint32Array(this.capacity);
  private high = new Uint32Array(this.capacity);
  /** Which file, counted from 1; 0 is an empty slot. */
  private files = new Uint32Array(this.capacity);
  private lengths = new Uint32Array(this.capacity);
  private positions = new Float64Array(this.capacity);

  /** Adds a record of the key at `at` in `bytes`. If the key has too many records, it replaces the last of them. */
  add(bytes: Buffer, at: number, file: number, position: number, length: number): void {
    if (this.used >= MAX_LOAD * this.capacity) this.grow();
    this.insert(bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4), file + 1, position, length);
  }

  /** Slots of the records that a key may have; others can share its first 8 bytes. */
  *slots(key: Buffer): Generator<number> {
    const low = key.readUInt32LE(0);
    const high = key.readUInt32LE(4);
    for (let slot = low & (this.capacity - 1); this.files[slot] !== 0; slot = (slot + 1) & (this.capacity - 1))
      if (this.low[slot] === low && this.high[slot] === high && this.lengths[slot] !== REMOVED) yield slot;
  }

  at(slot: number): { file: number; position: number; length: number } {
    return { file: this.files[slot]! - 1, position: this.positions[slot]!, length: this.lengths[slot]! };
  }

  remove(slot: number): void {
    this.lengths[slot] = REMOVED; // the slot stays in use: a search continues past it
  }

  private insert(low: number, high: number, file: number, position: number, length: number): void {
    const mask = this.capacity - 1;
    let slot = low & mask;
    for (let copies = 0; this.files[slot] !== 0; slot = (slot + 1) & mask) {
      if (this.low[slot] !== low || this.high[slot] !== high) continue;
      if (this.lengths[slot] === REMOVED || ++copies === MAX_COPIES) break;
    }
    if (this.files[slot] === 0) this.used++;
    this.low[slot] = low;
    this.high[slot] = high;
    this.files[slot] = file;
    this.lengths[slot] = length;
    this.positions[slot] = position;
  }

  private grow(): void {
    const { low, high, files, lengths, positions } = this;
    this.capacity *= 2;
    this.used = 0;
    this.low = new Uint32Array(this.capacity);
    this.high = new Uint32Array(this.capacity);
    this.files = new Uint32Array(this.capacity);
    this.lengths = new Uint32Array(this.capacity);
    this.positions = new Float64Array(this.capacity);
    for (const [slot, file] of files.entries())
      if (file !== 0 && lengths[slot] !== REMOVED) this.insert(low[slot]!, high[slot]!, file, positions[slot]!, lengths[slot]!);
  }
}

import {
  type BlockOperations,
  type DiskFile,
  nodeFileOperations,
} from '../../../src/store/file-operations.ts';

export type DiskStep = 'write' | 'sync' | 'rename' | 'syncDirectory' | 'create';

/**
 * The real disk with a fault at the n-th step. A failing write leaves a prefix behind, as a full disk does.
 * After the fault nothing works any more, as if the process were dead, unless the disk `recovers`.
 */
export class FailingDisk implements BlockOperations {
  readonly steps: DiskStep[] = [];

  constructor(
    private readonly failAt: number,
    private readonly after: 'dead' | 'recovers' = 'dead',
  ) {}

  /** @returns true when this step is to fail */
  private count(step: DiskStep): boolean {
    this.steps.push(step);
    const passed = this.steps.length - this.failAt;
    return this.after === 'dead' ? passed > 0 : passed === 1;
  }

  private check(step: DiskStep): void {
    if (this.count(step)) throw new Error(`injected failure of ${step}`);
  }

  private wrap(file: DiskFile): DiskFile {
    return {
      readAll: () => file.readAll(),
      write: async (bytes, position) => {
        const dead = this.steps.length > this.failAt;
        if (!this.count('write')) return file.write(bytes, position);
        if (!dead) await file.write(bytes.subarray(0, Math.floor(bytes.length / 2)), position);
        throw new Error('injected failure of write');
      },
      sync: async () => {
        this.check('sync');
        await file.sync();
      },
      truncate: bytes => file.truncate(bytes),
      close: () => file.close(),
    };
  }

  ensureDirectory(directory: string): Promise<void> {
    return nodeFileOperations.ensureDirectory(directory);
  }

  async openExisting(path: string): Promise<DiskFile | null> {
    const file = await nodeFileOperations.openExisting(path);
    return file === null ? null : this.wrap(file);
  }

  async create(path: string): Promise<DiskFile> {
    this.check('create');
    return this.wrap(await nodeFileOperations.create(path));
  }

  async createDirect(path: string): Promise<DiskFile> {
    this.check('create');
    return this.wrap(await nodeFileOperations.createDirect(path));
  }

  readWhole(path: string, direct: boolean): Promise<Uint8Array> {
    return nodeFileOperations.readWhole(path, direct);
  }

  async rename(from: string, to: string): Promise<void> {
    this.check('rename');
    await nodeFileOperations.rename(from, to);
  }

  async syncDirectory(directory: string): Promise<void> {
    this.check('syncDirectory');
    await nodeFileOperations.syncDirectory(directory);
  }

  remove(path: string): Promise<void> {
    return nodeFileOperations.remove(path);
  }
}

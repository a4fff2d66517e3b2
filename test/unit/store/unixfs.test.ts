import { createHash } from 'node:crypto';
import * as dagPb from '@ipld/dag-pb';
import { UnixFS } from 'ipfs-unixfs';
import { exporter } from 'ipfs-unixfs-exporter';
import { importByteStream } from 'ipfs-unixfs-importer';
import { CID } from 'multiformats/cid';
import { create } from 'multiformats/hashes/digest';
import { describe, expect, it } from 'vitest';
import { concatBytes, utf8 } from '../../../src/core/base/bytes.ts';
import { MemoryBlobStore } from '../../../src/store/memory-blob-store.ts';
import { UnixFsDag } from '../../../src/store/unixfs.ts';
import { HOSTILE_NAMES, rawCid } from '../../contracts/blob-store.ts';

const MIB = 1024 * 1024;

async function* chunks(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += size) yield bytes.subarray(offset, offset + size);
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of source) parts.push(part);
  return concatBytes(...parts);
}

async function list(source: AsyncIterable<string>): Promise<string[]> {
  const items: string[] = [];
  for await (const item of source) items.push(item);
  return items;
}

/** Bytes that do not repeat, the same at each run. */
function patterned(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 1;
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[index] = state >>> 24;
  }
  return bytes;
}

/** A block of any shape, stored; answers its CID. */
async function putNode(blobs: MemoryBlobStore, file: UnixFS, links: readonly string[]): Promise<string> {
  const bytes = dagPb.encode({
    Data: file.marshal(),
    Links: links.map(cid => ({ Hash: CID.parse(cid), Name: '', Tsize: 1 })),
  });
  const digest = new Uint8Array(createHash('sha256').update(bytes).digest());
  const cid = CID.createV1(dagPb.code, create(0x12, digest)).toString();
  await blobs.put(cid, bytes);
  return cid;
}

describe('UnixFS files', () => {
  it('gives the CIDs that `ipfs add` gives for small contents', async () => {
    const known = {
      '': 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
      'hello world': 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e',
      'hello world\n': 'bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4',
    };
    for (const [text, cid] of Object.entries(known)) {
      const blobs = new MemoryBlobStore();
      const bytes = utf8(text);
      expect(await new UnixFsDag(blobs).importFile(chunks(bytes, 4))).toEqual({
        cid,
        bytes: bytes.length,
        blocks: 1,
      });
      expect(await collect(new UnixFsDag(blobs).exportFile(cid))).toEqual(bytes);
      expect(await list(new UnixFsDag(blobs).listBlocks(cid))).toEqual([cid]);
    }
  });

  it.each([0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB, 5 * MIB + 77])(
    'cuts %i bytes into the blocks that the importer of the IPFS project makes',
    async length => {
      const content = patterned(length);
      const expected = new Map<string, Uint8Array>();
      const storage = {
        put: async (cid: CID, bytes: Uint8Array) => {
          expected.set(cid.toString(), bytes);
          return cid;
        },
      };
      const { cid } = await importByteStream(chunks(content, 70_001), storage as never, {
        profile: 'unixfs-v1-2025',
      });
      const blobs = new MemoryBlobStore();
      expect((await new UnixFsDag(blobs).importFile(chunks(content, 65_552))).cid).toBe(cid.toString());
      expect((await list(blobs.list())).sort()).toEqual([...expected.keys()].sort());
    },
  );

  it('lays a larger file out as unixfs-v1-2025 says: 1 MiB raw leaves under one node, links first', async () => {
    const content = patterned(2 * MIB + 5);
    const blobs = new MemoryBlobStore();
    const imported = await new UnixFsDag(blobs).importFile(chunks(content, 70_000));
    const leaves = [0, 1, 2].map(index => rawCid(content.subarray(index * MIB, (index + 1) * MIB)));
    // the protobuf by hand: three links (hash, empty name, size), then UnixFS data (type file, size, block sizes)
    const link = (cid: string, size: readonly number[]) => {
      const body = [0x0a, 36, ...CID.parse(cid).bytes, 0x12, 0, 0x18, ...size];
      return [0x12, body.length, ...body];
    };
    const mib = [0x80, 0x80, 0x40];
    const data = [0x08, 2, 0x18, 0x85, 0x80, 0x80, 0x01, 0x20, ...mib, 0x20, ...mib, 0x20, 5];
    const root = new Uint8Array([
      ...link(leaves[0]!, mib),
      ...link(leaves[1]!, mib),
      ...link(leaves[2]!, [5]),
      0x0a,
      data.length,
      ...data,
    ]);
    const digest = new Uint8Array(createHash('sha256').update(root).digest());
    expect(imported.cid).toBe(CID.createV1(0x70, create(0x12, digest)).toString());
    expect(imported).toMatchObject({ bytes: content.length, blocks: 4 });
    expect(await list(new UnixFsDag(blobs).listBlocks(imported.cid))).toEqual([imported.cid, ...leaves]);
  });

  it('exports what it imported, whole and by any range, as the public exporter does', async () => {
    const content = patterned(3 * MIB + 1);
    const blobs = new MemoryBlobStore();
    const { cid } = await new UnixFsDag(blobs).importFile(chunks(content, MIB + 1));
    expect(Buffer.compare(await collect(new UnixFsDag(blobs).exportFile(cid)), content)).toBe(0);
    for (const [offset, length] of [
      [0, 1],
      [MIB - 1, 2],
      [MIB, MIB],
      [3 * MIB, 10],
      [5, 3 * MIB],
      [4 * MIB, 1],
    ] as const) {
      const part = await collect(new UnixFsDag(blobs).exportFile(cid, { offset, length }));
      expect(Buffer.compare(part, content.subarray(offset, offset + length))).toBe(0);
    }
    const entry = await exporter(cid, {
      get: async function* (block: CID) {
        yield (await blobs.get(block.toString()))!;
      },
    } as unknown as Parameters<typeof exporter>[1]);
    expect(entry.type).toBe('file');
    if (entry.type === 'file') expect(Buffer.compare(await collect(entry.content()), content)).toBe(0);
  });

  it('hands out each block to be stored, the root last', async () => {
    const blobs = new MemoryBlobStore();
    const taken: string[] = [];
    const { cid, blocks } = await new UnixFsDag(blobs).importFile(
      chunks(patterned(2 * MIB), MIB),
      async (block, bytes) => {
        taken.push(block);
        await blobs.put(block, bytes);
      },
    );
    expect(taken).toHaveLength(blocks);
    expect(taken.at(-1)).toBe(cid);
    expect(await list(new UnixFsDag(blobs).listBlocks(cid))).toHaveLength(blocks);
  });

  it('[68] stops at a missing block with an error that names it', async () => {
    const blobs = new MemoryBlobStore();
    const content = patterned(2 * MIB);
    const { cid } = await new UnixFsDag(blobs).importFile(chunks(content, MIB));
    const lost = rawCid(content.subarray(MIB));
    await blobs.delete(lost);
    await expect(collect(new UnixFsDag(blobs).exportFile(cid))).rejects.toMatchObject({
      code: 'block_missing',
      message: expect.stringContaining(lost),
    });
    expect(
      Buffer.compare(
        await collect(new UnixFsDag(blobs).exportFile(cid, { offset: 0, length: MIB })),
        content.subarray(0, MIB),
      ),
    ).toBe(0);
  });

  it('refuses trees that lie about sizes, are too deep, or are no files', async () => {
    const blobs = new MemoryBlobStore();
    const leaf = utf8('leaf');
    await blobs.put(rawCid(leaf), leaf);
    const node = (size: bigint) => {
      const file = new UnixFS({ type: 'file' });
      file.addBlockSize(size);
      return file;
    };
    const short = await putNode(blobs, node(3n), [rawCid(leaf)]);
    const empty = await putNode(blobs, node(0n), [rawCid(new Uint8Array(0))]);
    const directory = await putNode(blobs, new UnixFS({ type: 'directory' }), [rawCid(leaf)]);
    const unbalanced = await putNode(blobs, node(4n), [rawCid(leaf), rawCid(leaf)]);
    let deep = rawCid(leaf);
    for (let depth = 0; depth < 10; depth += 1) deep = await putNode(blobs, node(4n), [deep]);
    for (const cid of [short, empty, directory, unbalanced, deep, ...HOSTILE_NAMES]) {
      await expect(collect(new UnixFsDag(blobs).exportFile(cid))).rejects.toMatchObject({
        code: 'file_malformed',
      });
    }
    for (const cid of [empty, directory, unbalanced, deep]) {
      await expect(list(new UnixFsDag(blobs).listBlocks(cid))).rejects.toMatchObject({
        code: 'file_malformed',
      });
    }
  });

  it('[95] takes nodes as wide as the profile makes them and no wider', async () => {
    const blobs = new MemoryBlobStore();
    const leaf = utf8('leaf');
    await blobs.put(rawCid(leaf), leaf);
    const wide = (links: number) => {
      const file = new UnixFS({ type: 'file' });
      for (let link = 0; link < links; link += 1) file.addBlockSize(4n);
      return putNode(
        blobs,
        file,
        Array.from({ length: links }, () => rawCid(leaf)),
      );
    };
    expect(await collect(new UnixFsDag(blobs).exportFile(await wide(1024)))).toHaveLength(4096);
    await expect(collect(new UnixFsDag(blobs).exportFile(await wide(1025)))).rejects.toMatchObject({
      code: 'file_malformed',
    });
  });

  it('parses a block only under its own CID', async () => {
    const blobs = new MemoryBlobStore();
    const dag = new UnixFsDag(blobs);
    const content = patterned(MIB + 4);
    const { cid } = await new UnixFsDag(blobs).importFile(chunks(content, MIB));
    const root = (await blobs.get(cid))!;
    const leaf = content.subarray(MIB);
    expect(dag.parseBlock(cid, root)).toEqual({
      contentBytes: content.length,
      children: [
        { cid: rawCid(content.subarray(0, MIB)), contentBytes: MIB },
        { cid: rawCid(leaf), contentBytes: 4 },
      ],
    });
    expect(dag.parseBlock(rawCid(leaf), leaf)).toEqual({ contentBytes: 4, children: [] });
    expect(dag.parseBlock(rawCid(leaf), content)).toBeNull();
    expect(dag.parseBlock('../x', leaf)).toBeNull();
    expect(HOSTILE_NAMES.filter(text => dag.isCid(text))).toEqual([]);
    expect(dag.isCid(cid)).toBe(true);
  });
});

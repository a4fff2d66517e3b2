import { OperatingError } from '../ports/lifecycle.ts';
import { connectionError, exchange, type Target } from './connect.ts';
import { type GetFile, type GetOptions, type GotFile, get } from './get.ts';
import { callOnSocket } from './long-call.ts';
import { type PutFile, type PutOptions, type PutResult, put } from './put.ts';
import { rpcErrorOf } from './rpc-error.ts';
import { type RequestSigner, signParams } from './signing.ts';
import { type SubscribeOptions, type SubscriptionEvent, subscribe } from './subscribe.ts';
import {
  type CarImport,
  type Download,
  download,
  type Upload,
  type UploadReceipt,
  upload,
  uploadCar,
} from './transfer.ts';

export interface ClientOptions extends Target {
  /** Signs the calls of `callSigned`. */
  readonly signer?: RequestSigner;
  /** Milliseconds until a call without an own signal is given up. */
  readonly timeoutMs?: number;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface BatchCall {
  readonly method: string;
  readonly params?: object;
}

/** A node as a program sees it; runs in Node and in browsers. */
export interface Client {
  readonly url: string;
  /**
   * @throws RpcError what the node answered
   * @throws OperatingError `cannot_connect`, `timeout`, `not_a_node`
   */
  call<T = unknown>(method: string, params?: object, options?: CallOptions): Promise<T>;
  /** The same, signed by the member's key: for management servers. */
  callSigned<T = unknown>(method: string, params?: object, options?: CallOptions): Promise<T>;
  /** One call over a WebSocket, for what takes longer than HTTP waits for an answer: it has all the time that it needs. */
  callLong<T = unknown>(method: string, params?: object, options?: CallOptions): Promise<T>;
  /** Several calls in one exchange; each result is a value or an RpcError, in the order of the calls. */
  batch(calls: readonly BatchCall[], options?: CallOptions): Promise<readonly unknown[]>;
  /** Events over a WebSocket; connects again after a loss and resumes where it was. */
  subscribe<T = unknown>(
    method: string,
    params?: { readonly from?: number | null } & Readonly<Record<string, unknown>>,
    options?: SubscribeOptions,
  ): AsyncGenerator<SubscriptionEvent<T>, void, void>;
  /** Puts a file into a phase; connections that are lost are made again, and a later call can go on (`put.ts`). */
  put(file: PutFile, options?: PutOptions): Promise<PutResult>;
  /** Reads a file of a phase or a range of it; connections that are lost are made again (`get.ts`). */
  get(file: GetFile, options?: GetOptions): Promise<GotFile>;
  /** Streams what can be read once only into a phase, as a record. */
  upload(file: Upload, options?: CallOptions): Promise<UploadReceipt>;
  /** Streams a file of a phase; the stream fails when the file does not arrive whole and verified. */
  download(file: { phase: string; cid: string; offset?: number }, options?: CallOptions): Promise<Download>;
  /** Streams the blocks of a file, encrypted as they are, as a CAR. */
  exportCar(file: { phase: string; cid: string }, options?: CallOptions): Promise<Download>;
  /** Gives a node the blocks of a file that it is to have, from a CAR. */
  importCar(
    file: { phase: string; cid: string; body: Upload['body'] },
    options?: CallOptions,
  ): Promise<CarImport>;
  /** Streams a dossier of a phase. */
  dossier(dossier: { phase: string; payloads?: boolean }, options?: CallOptions): Promise<Download>;
}

const TIMEOUT_MS = 120_000;

interface RpcAnswer {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: unknown;
}

function notANode(url: string, cause?: unknown): OperatingError {
  return new OperatingError(
    'not_a_node',
    `what answers at ${url} is not a Phaseline node`,
    'Check the URL.',
    cause,
  );
}

async function post(options: ClientOptions, body: unknown, call: CallOptions): Promise<unknown> {
  const signal = call.signal ?? AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
  const response = await exchange(options, '/', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal,
  });
  const text = await response.text().catch(error => {
    throw connectionError(options.url, error, signal);
  });
  return parsed(options.url, text);
}

function parsed(url: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw notANode(url, error);
  }
}

function resultOf(url: string, answer: unknown): unknown {
  if (typeof answer !== 'object' || answer === null) throw notANode(url);
  const { error, result } = answer as RpcAnswer;
  if (error !== undefined) throw rpcErrorOf(error);
  if (result === undefined) throw notANode(url);
  return result;
}

async function batch(
  options: ClientOptions,
  calls: readonly BatchCall[],
  call: CallOptions,
): Promise<readonly unknown[]> {
  if (calls.length === 0) return [];
  const body = calls.map(({ method, params }, id) => ({ jsonrpc: '2.0', id, method, params: params ?? {} }));
  const answers = await post(options, body, call);
  if (!Array.isArray(answers)) return [resultOf(options.url, answers)];
  const byId = new Map((answers as RpcAnswer[]).map(answer => [answer.id, answer]));
  return calls.map((_, id) => {
    const answer = byId.get(id);
    if (answer === undefined) throw notANode(options.url);
    return answer.error === undefined ? answer.result : rpcErrorOf(answer.error);
  });
}

function carPath(phase: string, cid: string): string {
  return `/phases/${encodeURIComponent(phase)}/files/${encodeURIComponent(cid)}/car`;
}

/** @param options where the node is; nothing is connected before the first call */
export function createClient(options: ClientOptions): Client {
  let id = 0;
  const call = async (method: string, params: object, callOptions: CallOptions) => {
    id += 1;
    return resultOf(options.url, await post(options, { jsonrpc: '2.0', id, method, params }, callOptions));
  };
  return {
    url: options.url,
    call: async <T>(method: string, params: object = {}, callOptions: CallOptions = {}) =>
      (await call(method, params, callOptions)) as T,
    callLong: async <T>(method: string, params: object = {}, callOptions: CallOptions = {}) => {
      id += 1;
      const request = { jsonrpc: '2.0', id, method, params };
      const text = await callOnSocket(options, JSON.stringify(request), callOptions.signal ?? null);
      if (text !== null) return resultOf(options.url, parsed(options.url, text)) as T;
      // HTTP answers, for as long as it waits, or says why there was no WebSocket
      const patient = { signal: callOptions.signal ?? new AbortController().signal };
      return (await call(method, params, patient)) as T;
    },
    callSigned: async <T>(method: string, params: object = {}, callOptions: CallOptions = {}) => {
      if (options.signer === undefined) {
        throw new OperatingError('no_signer', 'this client has no key to sign with');
      }
      return (await call(method, await signParams(options.signer, method, params), callOptions)) as T;
    },
    batch: (calls, callOptions = {}) => batch(options, calls, callOptions),
    subscribe: (method, params = {}, subscribeOptions = {}) =>
      subscribe(options, method, params, subscribeOptions),
    put: (file, putOptions = {}) =>
      put(options, file, putOptions, async phase => {
        const answer = await call('file_uploads', { phase }, putOptions);
        return (answer as { uploads: Awaited<ReturnType<Parameters<typeof put>[3]>> }).uploads;
      }),
    get: (file, getOptions = {}) => get(options, file, getOptions),
    upload: (file, callOptions = {}) => upload(options, file, callOptions.signal),
    download: ({ phase, cid, offset }, callOptions = {}) =>
      download(
        options,
        `/phases/${encodeURIComponent(phase)}/files/${encodeURIComponent(cid)}`,
        offset ?? 0,
        callOptions.signal,
      ),
    exportCar: ({ phase, cid }, callOptions = {}) =>
      download(options, carPath(phase, cid), 0, callOptions.signal),
    importCar: ({ phase, cid, body }, callOptions = {}) =>
      uploadCar(options, carPath(phase, cid), body, callOptions.signal),
    dossier: ({ phase, payloads = true }, callOptions = {}) =>
      download(
        options,
        `/phases/${encodeURIComponent(phase)}/dossier?payloads=${payloads}`,
        0,
        callOptions.signal,
      ),
  };
}

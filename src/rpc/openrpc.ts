import { z } from 'zod';
import { ERRORS, type ErrorName } from './errors.ts';
import type { RpcMethod } from './method.ts';
import { defineMethod } from './method.ts';

/** Errors that any call may meet; each method lists its own beyond these. */
const COMMON: readonly ErrorName[] = ['invalid_params', 'rate_limited', 'busy', 'internal_error'];

function errorsOf(method: RpcMethod): object[] {
  const guarded: readonly ErrorName[] = method.access === 'public' ? [] : ['unauthorized'];
  return [...new Set([...COMMON, ...guarded, ...method.errors])].map(name => ({
    code: ERRORS[name].code,
    message: ERRORS[name].message,
    data: { reason: name },
  }));
}

function withoutDialect(schema: object): object {
  const { $schema: _dialect, ...rest } = schema as { $schema?: string };
  return rest;
}

function describeMethod(method: RpcMethod): object {
  const params = z.toJSONSchema(method.params, { io: 'input' }) as {
    properties?: Record<string, { description?: string }>;
    required?: string[];
  };
  return {
    name: method.name,
    summary: method.summary,
    paramStructure: 'either',
    params: Object.entries(params.properties ?? {}).map(([name, schema]) => ({
      name,
      required: params.required?.includes(name) ?? false,
      ...(schema.description === undefined ? {} : { description: schema.description }),
      schema,
    })),
    result: {
      name: 'result',
      schema: withoutDialect(z.toJSONSchema(method.result, { io: 'input' })),
    },
    errors: errorsOf(method),
    'x-access': method.access,
  };
}

/** An OpenRPC 1.3 document made from the schemas that check the calls: it cannot differ from what the node does. */
function openRpcDocument(
  methods: readonly RpcMethod[],
  info: { readonly title: string; readonly version: string },
): object {
  return {
    openrpc: '1.3.2',
    info: {
      ...info,
      description:
        'x-access says who may call: "public" anybody; "session" the holder of the session token; "member" also a ' +
        'member whose signed request stands in the single parameter "signed" (docs/PROTOCOL.md).',
    },
    methods: [...methods].sort((a, b) => (a.name < b.name ? -1 : 1)).map(describeMethod),
    'x-errors': Object.entries(ERRORS).map(([reason, { code, http, message }]) => ({
      reason,
      code,
      message,
      'x-http-status': http,
    })),
  };
}

/** `rpc.discover` over the given methods and itself. */
export function discoverMethod(
  methods: readonly RpcMethod[],
  info: { readonly title: string; readonly version: string },
): RpcMethod {
  let document: object | null = null;
  const discover: RpcMethod = defineMethod({
    name: 'rpc.discover',
    summary: 'The OpenRPC document of this node.',
    access: 'public',
    params: z.strictObject({}),
    result: z.looseObject({ openrpc: z.string() }),
    errors: [],
    handle: () => {
      document ??= openRpcDocument([...methods, discover], info);
      return document as { openrpc: string };
    },
  });
  return discover;
}

import type { Command } from 'commander';
import { type Client, createClient } from '../client/client.ts';
import { resolveEndpoint } from './connect.ts';
import { CommandFailure, EXIT } from './failure.ts';
import { type Io, printable, show, type View } from './io.ts';
import type { GlobalOptions } from './program.ts';

/** A command's connection to one node, and how it shows what comes back. */
export interface Session {
  readonly client: Client;
  /** True for a node of a network on this machine: it sees the same files, unless it runs as someone else. */
  readonly local: boolean;
  call<T>(method: string, params?: object): Promise<T>;
  show(value: unknown, view: View): void;
  /** What to do next; not part of the answer. */
  tell(message: string): void;
}

/** The command as it is typed, without what it takes. */
function commandWords(command: Command): string {
  return command.parent === null ? '' : `${commandWords(command.parent)} ${command.name()}`.trim();
}

/**
 * @param fallback the node that is asked when `--as` names none; null when the command needs one
 * @param settings `ignoreAs`: the command talks to `fallback` whatever `--as` and `--url` say
 */
export async function openSession(
  io: Io,
  command: Command,
  fallback: string | null,
  settings: { readonly ignoreAs?: boolean } = {},
): Promise<Session> {
  const { as, url: given, ...rest } = command.optsWithGlobals<GlobalOptions>();
  const options: GlobalOptions =
    settings.ignoreAs === true ? rest : { ...rest, ...(as && { as }), ...(given && { url: given }) };
  const name = options.as ?? fallback;
  if (name === null && options.url === undefined) {
    throw new CommandFailure(
      EXIT.usage,
      'this command acts for one node: say which with --as NAME',
      `For example: phaseline --as alice ${commandWords(command)}; phaseline status shows the nodes.`,
    );
  }
  const { url, token } = await resolveEndpoint(io, options, name ?? '');
  const client = createClient(token === null ? { url } : { url, token });
  return {
    client,
    local: options.url === undefined,
    call: <T>(method: string, params: object = {}) => client.call(method, params) as Promise<T>,
    show: (value, view) => show(io, options.output, value, view),
    tell: message => io.err(printable(message)),
  };
}

export const short = (id: string) => id.slice(0, 12);

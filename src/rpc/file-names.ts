const RESERVED = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?$/i;
const NAME_BYTES_MAX = 200;

/**
 * A file name of someone else as a name that is safe in any directory: no path, no control characters, nothing that
 * Windows reserves, no leading dot (SCENARIOS 88). The original name stays in the record.
 */
export function safeFileName(name: string): string {
  const last = name.split(/[\\/]/).at(-1) ?? '';
  let safe = last
    .replace(/[\p{Cc}\p{Cf}\p{Cs}<>:"|?*]/gu, '_')
    .replace(/^\.+/, '')
    .replace(/[. ]+$/, '')
    .trim();
  while (Buffer.byteLength(safe) > NAME_BYTES_MAX) safe = [...safe].slice(0, -1).join('');
  if (safe === '') return 'file';
  return RESERVED.test(safe) ? `_${safe}` : safe;
}

/** `Content-Disposition` that makes browsers save and never show: RFC 6266 with RFC 8187 encoding. */
export function attachmentHeader(name: string): string {
  const encoded = encodeURIComponent(safeFileName(name)).replace(
    /['()*!]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename*=UTF-8''${encoded}`;
}

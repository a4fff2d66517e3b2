import { describe, expect, it } from 'vitest';
import { formatTemplate, parseTemplate } from '../../../src/config/flow-template.ts';

const GOOD = `
[[phases]]
label = "review"
after = ["intake"]

[[phases]]
label = "intake"
open = true
participants = { alice = ["contributor"], bob = ["reader", "approver"] }
policy = { retentionDays = 30, approvals = { close = { k = 1 } } }
types = { note = { type = "object", required = ["text"] } }
`;

describe('templates', () => {
  it('come back in an order in which they can be added, and out again as they came', () => {
    const template = parseTemplate('flow.toml', GOOD);
    expect(template.phases.map(({ label }) => label)).toEqual(['intake', 'review']);
    expect(template.phases[0]).toMatchObject({
      participants: { alice: ['contributor'], bob: ['reader', 'approver'] },
      policy: { retentionDays: 30, approvals: { close: { k: 1, roles: ['approver'] } } },
    });
    expect(parseTemplate('again.toml', formatTemplate(template))).toEqual(template);
    expect(parseTemplate('flow.json', JSON.stringify(template))).toEqual(template);
  });

  it.each([
    ['[[phases]]\nlabel = "a\n', /flow\.toml: line 2/],
    ['[[phases]]\nlabel = "a"\nparticipants = { Bob = ["reader"] }', /phases\.0\.participants/],
    ['[[phases]]\nlabel = "a"\nparticipants = { bob = ["king"] }', /phases\.0\.participants\.bob\.0/],
    ['[[phases]]\nlabel = "a"\nafter = ["b"]', /phases\.0\.after: no phase is called "b"/],
    ['[[phases]]\nlabel = "a"\n[[phases]]\nlabel = "a"', /phases\.1\.label: "a" stands twice/],
    [
      '[[phases]]\nlabel = "a"\nafter = ["b"]\n[[phases]]\nlabel = "b"\nafter = ["a"]',
      /a, b go round in a circle/,
    ],
    ['[[phases]]\nlabel = "a"\npolicy = { copiesMinimum = 3 }', /copiesMinimum: more than copiesTarget/],
    ['[[phases]]\nlabel = "a"\ncolour = "red"', /phases\.0.*colour/],
    ['', /phases/],
  ])('say where they are wrong: %j', (text, message) => {
    expect(() => parseTemplate('flow.toml', text)).toThrow(message);
  });
});

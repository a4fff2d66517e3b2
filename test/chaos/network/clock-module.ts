/** Loaded before a node's program: lets the harness, over the channel to its child, move what the node takes for the time. */
export const CLOCK_MODULE = `const now = Date.now.bind(Date);
let offsetMs = 0;
Date.now = () => now() + offsetMs;
process.on('message', message => {
  if (typeof message?.clockOffsetMs === 'number') offsetMs = message.clockOffsetMs;
});
`;

// In which partition a user lies: Kafka's own murmur2 of the name, as every worker counts it.

const SEED = 0x9747b28c;
const MIX = 0x5bd1e995;
const utf8 = new TextEncoder();

export function partitionOf(name, partitions) {
  return (murmur2(utf8.encode(name)) & 0x7fffffff) % partitions;
}

function murmur2(bytes) {
  let hash = SEED ^ bytes.length;
  const rest = bytes.length & 3;
  const end = bytes.length - rest;
  for (let at = 0; at < end; at += 4) {
    let word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    word = Math.imul(word, MIX);
    word ^= word >>> 24;
    hash = Math.imul(hash, MIX) ^ Math.imul(word, MIX);
  }
  if (rest === 3) hash ^= bytes[end + 2] << 16;
  if (rest >= 2) hash ^= bytes[end + 1] << 8;
  if (rest >= 1) hash = Math.imul(hash ^ bytes[end], MIX);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, MIX);
  return hash ^ (hash >>> 15);
}

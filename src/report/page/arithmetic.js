// Float arithmetic, to the bit. What is generated from envs/*.hpp and kernels/math calls this.
'use strict';

const fr = Math.fround;

// a b + c, rounded once. In double the product is exact and the sum rounded to 53 bits. Rounding that to float again decides wrongly only
// where it lies midway between two floats and is not exact: then the sum's error says to which side.
function fma(a, b, c) {
  const product = a * b, sum = product + c, near = fr(sum), rest = sum - near;
  if (rest === 0 || fr(sum + rest) !== sum + rest || !Number.isFinite(near)) return near;
  const back = sum - product, error = product - (sum - back) + (c - back);
  return error * rest > 0 ? sum + rest : near;
}

const oneFloat = new Float32Array(1), itsBits = new Uint32Array(oneFloat.buffer);
function floatBits(x) {
  oneFloat[0] = x;
  return itsBits[0];
}
function bitsFloat(bits) {
  itsBits[0] = bits;
  return oneFloat[0];
}

// The high 32 bits of the product of two unsigned 32-bit integers.
function multiplyHigh(x, y) {
  const x0 = x & 0xffff, x1 = x >>> 16, y0 = y & 0xffff, y1 = y >>> 16;
  const middle = x1 * y0 + ((x0 * y0) >>> 16), other = x0 * y1 + (middle & 0xffff);
  return x1 * y1 + Math.floor(middle / 65536) + Math.floor(other / 65536);
}

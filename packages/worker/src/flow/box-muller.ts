/**
 * Two uniform float32 numbers → two normal ones, bit for bit as torch computes them on x86 with AVX2.
 *
 * Math.log and Math.cos would be closer to the truth and so differ in the last bits, or near zero in many. torch takes the single-precision
 * functions of the Cephes library (S. Moshier; AVX2 form by G. Garberoglio), compiled with fused multiply-add; the constants and
 * the places where operations fuse are theirs.
 */

const float = Math.fround

/** a*b+c, rounded once: the product of two float32 is exact in float64. */
const fused = (a: number, b: number, c: number): number => float(a * b + c)

const TWO_PI = float(2 * Math.PI)
const SQUARE_ROOT_OF_HALF = float(0.7071067811865476)

/** ln(1+x) = x - x²/2 + x³ P(x), P by falling powers. */
const LOG = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
].map(float)
/** ln 2 in two parts, the larger exact in few bits. */
const LN2_HIGH = 0.693359375
const LN2_LOW = float(-2.1219444e-4)

const FOUR_OVER_PI = float(1.27323954473516)
/** -π/4 in three parts. */
const MINUS_QUARTER_PI = [-0.78515625, -2.4187564849853516e-4, -3.774894977445941e-8].map(float)
const SINE = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1].map(float)
const COSINE = [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2].map(float)

const floatBits = new Float32Array(1)
const wordBits = new Uint32Array(floatBits.buffer)

/**
 * The Box-Muller transform of one pair.
 * @param first uniform in [0, 1), gives the radius
 * @param second uniform in [0, 1), gives the angle
 * @param target where the pair is written: the cosine's at `index`, the sine's at `index + 8`
 */
export function boxMuller(first: number, second: number, target: Float32Array, index: number): void {
  const radius = float(Math.sqrt(float(-2 * logarithm(float(1 - first)))))
  const angle = float(TWO_PI * second)

  const octant = (Math.trunc(float(angle * FOUR_OVER_PI)) + 1) & ~1
  const rest = MINUS_QUARTER_PI.reduce((left, part) => fused(octant, part, left), angle)
  const square = float(rest * rest)
  const cosine = cosineOf(square)
  const sine = sineOf(rest, square)
  const swapped = (octant & 2) !== 0
  const sineSign = octant & 4 ? -1 : 1
  const cosineSign = (octant - 2) & 4 ? 1 : -1
  target[index] = radius * cosineSign * (swapped ? sine : cosine)
  target[index + 8] = radius * sineSign * (swapped ? cosine : sine)
}

/** Natural logarithm of x in (0, 1]. */
function logarithm(x: number): number {
  floatBits[0] = x
  const bits = wordBits[0]!
  let exponent = (bits >>> 23) - 126
  wordBits[0] = (bits & ~0x7f800000) | 0x3f000000
  const mantissa = floatBits[0]
  let rest = float(mantissa - 1)
  if (mantissa < SQUARE_ROOT_OF_HALF) {
    exponent -= 1
    rest = float(rest + mantissa)
  }
  const square = float(rest * rest)
  const polynomial = float(horner(LOG, rest) * rest)
  const correction = float(fused(polynomial, square, float(exponent * LN2_LOW)) - float(square * 0.5))
  return fused(exponent, LN2_HIGH, float(rest + correction))
}

function cosineOf(square: number): number {
  const polynomial = float(horner(COSINE, square) * square)
  return float(fused(polynomial, square, -float(square * 0.5)) + 1)
}

function sineOf(rest: number, square: number): number {
  return fused(float(horner(SINE, square) * square), rest, rest)
}

function horner(coefficients: readonly number[], x: number): number {
  let value = coefficients[0]!
  for (let index = 1; index < coefficients.length; index++) value = fused(value, x, coefficients[index]!)
  return value
}

/**
 * Uniform float32 numbers → normal ones, bit for bit as torch computes them on x86 with AVX2.
 *
 * Math.log and Math.cos would be closer to the truth and so differ in the last bits, or near zero in many. torch takes the single-precision
 * functions of the Cephes library (S. Moshier; AVX2 form by G. Garberoglio), compiled with fused multiply-add; the constants and
 * the places where operations fuse are theirs. It is written without arrays and calls that would cost more than the arithmetic.
 */

const float = Math.fround
/** torch pairs element i of sixteen with element i + 8. */
const lanes = 8

const TWO_PI = float(2 * Math.PI)
const SQUARE_ROOT_OF_HALF = float(0.7071067811865476)

/** ln(1+x) = x - x²/2 + x³ P(x), P by falling powers. */
const LOG_0 = float(7.0376836292e-2)
const LOG_1 = float(-1.151461031e-1)
const LOG_2 = float(1.167699874e-1)
const LOG_3 = float(-1.2420140846e-1)
const LOG_4 = float(1.4249322787e-1)
const LOG_5 = float(-1.6668057665e-1)
const LOG_6 = float(2.0000714765e-1)
const LOG_7 = float(-2.4999993993e-1)
const LOG_8 = float(3.3333331174e-1)
/** ln 2 in two parts, the larger exact in few bits. */
const LN2_HIGH = 0.693359375
const LN2_LOW = float(-2.1219444e-4)

const FOUR_OVER_PI = float(1.27323954473516)
/** -π/4 in three parts. */
const QUARTER_0 = -0.78515625
const QUARTER_1 = float(-2.4187564849853516e-4)
const QUARTER_2 = float(-3.774894977445941e-8)

const SINE_0 = float(-1.9515295891e-4)
const SINE_1 = float(8.3321608736e-3)
const SINE_2 = float(-1.6666654611e-1)
const COSINE_0 = float(2.443315711809948e-5)
const COSINE_1 = float(-1.388731625493765e-3)
const COSINE_2 = float(4.166664568298827e-2)

/**
 * The Box-Muller transform of sixteen numbers in place.
 * @param values from `start` on: eight that give the radii, eight that give the angles, uniform in [0, 1) with 24 bits; then eight cosines and eight sines
 */
export function boxMullerBlock(values: Float32Array, start: number): void {
  for (let index = start; index < start + lanes; index++) {
    const radius = float(Math.sqrt(float(-2 * logarithmOfRest(values[index]!))))
    const angle = float(TWO_PI * values[index + lanes]!)

    const octant = (Math.trunc(float(angle * FOUR_OVER_PI)) + 1) & ~1
    const rest = float(octant * QUARTER_2 + float(octant * QUARTER_1 + float(octant * QUARTER_0 + angle)))
    const square = float(rest * rest)
    const sine = sineOf(rest, square)
    const cosine = cosineOf(square)
    const swapped = (octant & 2) !== 0
    const sineSign = octant & 4 ? -1 : 1
    const cosineSign = (octant - 2) & 4 ? 1 : -1
    values[index] = radius * cosineSign * (swapped ? sine : cosine)
    values[index + lanes] = radius * sineSign * (swapped ? cosine : sine)
  }
}

// a*b+c inside float() is fused: the product of two float32 is exact in float64, and the sum is rounded once to float32.

/** ln(1 - x), for x in [0, 1) with 24 bits. */
function logarithmOfRest(x: number): number {
  // 1 - x in units of 2^-24: from its leading bit on it is the mantissa, in [0.5, 1).
  const units = 0x1000000 - x * 0x1000000
  const leading = Math.clz32(units)
  const mantissa = ((units << leading) >>> 0) / 0x100000000
  const isSmall = mantissa < SQUARE_ROOT_OF_HALF
  const exponent = isSmall ? 7 - leading : 8 - leading
  const rest = isSmall ? float(float(mantissa - 1) + mantissa) : float(mantissa - 1)
  const square = float(rest * rest)
  let polynomial = float(LOG_0 * rest + LOG_1)
  polynomial = float(polynomial * rest + LOG_2)
  polynomial = float(polynomial * rest + LOG_3)
  polynomial = float(polynomial * rest + LOG_4)
  polynomial = float(polynomial * rest + LOG_5)
  polynomial = float(polynomial * rest + LOG_6)
  polynomial = float(polynomial * rest + LOG_7)
  polynomial = float(polynomial * rest + LOG_8)
  polynomial = float(polynomial * rest)
  const low = float(exponent * LN2_LOW)
  const correction = float(float(polynomial * square + low) - float(square * 0.5))
  return float(exponent * LN2_HIGH + float(rest + correction))
}

function cosineOf(square: number): number {
  const polynomial = float(float(float(COSINE_0 * square + COSINE_1) * square + COSINE_2) * square)
  return float(float(polynomial * square - float(square * 0.5)) + 1)
}

function sineOf(rest: number, square: number): number {
  const polynomial = float(float(float(SINE_0 * square + SINE_1) * square + SINE_2) * square)
  return float(polynomial * rest + rest)
}

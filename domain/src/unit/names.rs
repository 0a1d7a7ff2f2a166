//! The table of units. Factors are exact by definition where there is one: NIST SP 811, appendix B.

use super::{Dimension, Named};

const LENGTH: Dimension = Dimension::base(0);
const AREA: Dimension = Dimension::NONE.with(0, 2);
const VOLUME: Dimension = Dimension::NONE.with(0, 3);
const MASS: Dimension = Dimension::base(1);
const TIME: Dimension = Dimension::base(2);
const TEMPERATURE: Dimension = Dimension::base(3);
const AMOUNT: Dimension = Dimension::base(4);
const CONCENTRATION: Dimension = AMOUNT.with(0, -3);
const CURRENT: Dimension = Dimension::base(5);
const ANGLE: Dimension = Dimension::base(6);
const PERCENT: Dimension = Dimension::base(7);
const INTERNATIONAL_UNIT: Dimension = Dimension::base(8);
const ENZYME_UNIT: Dimension = Dimension::base(9);
const EQUIVALENT: Dimension = Dimension::base(10);
const OSMOLE: Dimension = Dimension::base(11);
const BEAT: Dimension = Dimension::base(12);
const BREATH: Dimension = Dimension::base(13);
const MONTH: Dimension = Dimension::base(14);
const FREQUENCY: Dimension = Dimension::NONE.with(2, -1);
const SPEED: Dimension = LENGTH.with(2, -1);
const FORCE: Dimension = LENGTH.with(1, 1).with(2, -2);
const PRESSURE: Dimension = MASS.with(0, -1).with(2, -2);
const ENERGY: Dimension = MASS.with(0, 2).with(2, -2);
const POWER: Dimension = MASS.with(0, 2).with(2, -3);
const VOLTAGE: Dimension = POWER.with(5, -1);
const RESISTANCE: Dimension = POWER.with(5, -2);

const INCH: f64 = 0.0254;
const MILE: f64 = 1609.344;
const POUND: f64 = 453.592_37;
const GALLON: f64 = 231.0 * INCH * INCH * INCH;
/// Of the SI units of force, pressure, energy and power, whose mass is the kilogram.
const KILO: f64 = 1000.0;

pub(super) const SYMBOL_PREFIXES: [(&str, f64); 14] = [
    ("f", 1e-15),
    ("p", 1e-12),
    ("n", 1e-9),
    ("µ", 1e-6),
    ("μ", 1e-6),
    ("u", 1e-6),
    ("mc", 1e-6),
    ("m", 1e-3),
    ("c", 1e-2),
    ("d", 1e-1),
    ("h", 1e2),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
];

pub(super) const WORD_PREFIXES: [(&str, f64); 8] = [
    ("pico", 1e-12),
    ("nano", 1e-9),
    ("micro", 1e-6),
    ("milli", 1e-3),
    ("centi", 1e-2),
    ("deci", 1e-1),
    ("kilo", 1e3),
    ("mega", 1e6),
];

/// A unit that takes prefixes.
const fn si(name: &'static str, factor: f64, dimension: Dimension) -> Named {
    Named {
        name,
        factor,
        offset: 0.0,
        dimension,
        takes_prefixes: true,
    }
}

/// A unit that takes none.
const fn plain(name: &'static str, factor: f64, dimension: Dimension) -> Named {
    Named {
        takes_prefixes: false,
        ..si(name, factor, dimension)
    }
}

const fn scale(name: &'static str, factor: f64, offset: f64) -> Named {
    Named {
        offset,
        ..plain(name, factor, TEMPERATURE)
    }
}

const FAHRENHEIT: (f64, f64) = (5.0 / 9.0, 273.15 - 32.0 * 5.0 / 9.0);

/// Names whose case counts.
pub(super) const SYMBOLS: &[Named] = &[
    si("m", 1.0, LENGTH),
    plain("in", INCH, LENGTH),
    plain("ft", 12.0 * INCH, LENGTH),
    plain("yd", 36.0 * INCH, LENGTH),
    plain("mi", MILE, LENGTH),
    plain("ha", 1e4, AREA),
    si("L", 1e-3, VOLUME),
    si("l", 1e-3, VOLUME),
    plain("cc", 1e-6, VOLUME),
    plain("gal", GALLON, VOLUME),
    plain("qt", GALLON / 4.0, VOLUME),
    plain("pt", GALLON / 8.0, VOLUME),
    plain("floz", GALLON / 128.0, VOLUME),
    plain("tbsp", GALLON / 256.0, VOLUME),
    plain("tsp", GALLON / 768.0, VOLUME),
    si("g", 1.0, MASS),
    plain("gm", 1.0, MASS),
    plain("t", 1e6, MASS),
    plain("lb", POUND, MASS),
    plain("lbs", POUND, MASS),
    plain("oz", POUND / 16.0, MASS),
    si("s", 1.0, TIME),
    plain("sec", 1.0, TIME),
    plain("min", 60.0, TIME),
    plain("h", 3600.0, TIME),
    plain("hr", 3600.0, TIME),
    plain("d", 86_400.0, TIME),
    plain("wk", 7.0 * 86_400.0, TIME),
    plain("mo", 1.0, MONTH),
    plain("y", 12.0, MONTH),
    plain("yr", 12.0, MONTH),
    si("K", 1.0, TEMPERATURE),
    scale("°C", 1.0, 273.15),
    scale("C", 1.0, 273.15),
    scale("°F", FAHRENHEIT.0, FAHRENHEIT.1),
    scale("F", FAHRENHEIT.0, FAHRENHEIT.1),
    si("mol", 1.0, AMOUNT),
    si("M", 1e3, CONCENTRATION),
    si("Eq", 1.0, EQUIVALENT),
    si("Osm", 1.0, OSMOLE),
    si("osm", 1.0, OSMOLE),
    si("IU", 1.0, INTERNATIONAL_UNIT),
    si("U", 1.0, ENZYME_UNIT),
    plain("%", 1.0, PERCENT),
    plain("°", 1.0, ANGLE),
    plain("deg", 1.0, ANGLE),
    plain("rad", 180.0 / std::f64::consts::PI, ANGLE),
    si("A", 1.0, CURRENT),
    si("Hz", 1.0, FREQUENCY),
    si("N", KILO, FORCE),
    si("Pa", KILO, PRESSURE),
    si("bar", 1e5 * KILO, PRESSURE),
    plain("atm", 101_325.0 * KILO, PRESSURE),
    plain("mmHg", 133.322_387_415 * KILO, PRESSURE),
    plain("Torr", 101_325.0 / 760.0 * KILO, PRESSURE),
    plain("cmH2O", 98.0665 * KILO, PRESSURE),
    plain("psi", 6_894.757_293_168 * KILO, PRESSURE),
    si("J", KILO, ENERGY),
    si("cal", 4.184 * KILO, ENERGY),
    si("Wh", 3600.0 * KILO, ENERGY),
    si("eV", 1.602_176_634e-19 * KILO, ENERGY),
    si("W", KILO, POWER),
    si("V", KILO, VOLTAGE),
    si("Ω", KILO, RESISTANCE),
    plain("mph", MILE / 3600.0, SPEED),
];

/// Names in small letters, whose plural may end in `s`.
pub(super) const WORDS: &[Named] = &[
    si("meter", 1.0, LENGTH),
    si("metre", 1.0, LENGTH),
    plain("micron", 1e-6, LENGTH),
    plain("inch", INCH, LENGTH),
    plain("inches", INCH, LENGTH),
    plain("foot", 12.0 * INCH, LENGTH),
    plain("feet", 12.0 * INCH, LENGTH),
    plain("yard", 36.0 * INCH, LENGTH),
    plain("mile", MILE, LENGTH),
    plain("hectare", 1e4, AREA),
    plain("acre", 43_560.0 * 144.0 * INCH * INCH, AREA),
    si("liter", 1e-3, VOLUME),
    si("litre", 1e-3, VOLUME),
    plain("gallon", GALLON, VOLUME),
    plain("quart", GALLON / 4.0, VOLUME),
    plain("pint", GALLON / 8.0, VOLUME),
    plain("cup", GALLON / 16.0, VOLUME),
    plain("tablespoon", GALLON / 256.0, VOLUME),
    plain("teaspoon", GALLON / 768.0, VOLUME),
    si("gram", 1.0, MASS),
    plain("tonne", 1e6, MASS),
    plain("pound", POUND, MASS),
    plain("ounce", POUND / 16.0, MASS),
    plain("stone", 14.0 * POUND, MASS),
    si("second", 1.0, TIME),
    plain("sec", 1.0, TIME),
    plain("min", 60.0, TIME),
    plain("minute", 60.0, TIME),
    plain("hr", 3600.0, TIME),
    plain("hour", 3600.0, TIME),
    plain("day", 86_400.0, TIME),
    plain("week", 7.0 * 86_400.0, TIME),
    plain("month", 1.0, MONTH),
    plain("yr", 12.0, MONTH),
    plain("year", 12.0, MONTH),
    plain("kelvin", 1.0, TEMPERATURE),
    scale("celsius", 1.0, 273.15),
    scale("fahrenheit", FAHRENHEIT.0, FAHRENHEIT.1),
    si("mole", 1.0, AMOUNT),
    si("molar", 1e3, CONCENTRATION),
    si("equivalent", 1.0, EQUIVALENT),
    si("osmole", 1.0, OSMOLE),
    plain("iu", 1.0, INTERNATIONAL_UNIT),
    plain("unit", 1.0, ENZYME_UNIT),
    plain("percent", 1.0, PERCENT),
    plain("degree", 1.0, ANGLE),
    plain("radian", 180.0 / std::f64::consts::PI, ANGLE),
    plain("bpm", 1.0 / 60.0, BEAT.with(2, -1)),
    plain("beat", 1.0, BEAT),
    plain("breath", 1.0, BREATH),
    si("ampere", 1.0, CURRENT),
    si("amp", 1.0, CURRENT),
    si("hertz", 1.0, FREQUENCY),
    si("newton", KILO, FORCE),
    si("pascal", KILO, PRESSURE),
    plain("mmhg", 133.322_387_415 * KILO, PRESSURE),
    si("joule", KILO, ENERGY),
    si("calorie", 4.184 * KILO, ENERGY),
    si("watt", KILO, POWER),
    si("volt", KILO, VOLTAGE),
    si("ohm", KILO, RESISTANCE),
];

//! The Oklab colour space (Björn Ottosson, "A perceptual color space for image processing", 2020).

/// A colour whose Euclidean distances are about what the eye sees: lightness 0..1, and two opponent axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Oklab {
    pub l: f32,
    pub a: f32,
    pub b: f32,
}

impl Oklab {
    /// From sRGB on the scale 0..255.
    pub fn from_srgb(rgb: [f32; 3]) -> Oklab {
        let [r, g, b] = rgb.map(|v| to_linear(v / 255.0));
        let l = (0.412_221_47 * r + 0.536_332_54 * g + 0.051_445_993 * b).cbrt();
        let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_396_96 * b).cbrt();
        let s = (0.088_302_46 * r + 0.281_718_84 * g + 0.629_978_7 * b).cbrt();
        Oklab {
            l: 0.210_454_26 * l + 0.793_617_8 * m - 0.004_072_047 * s,
            a: 1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
            b: 0.025_904_037 * l + 0.782_771_77 * m - 0.808_675_77 * s,
        }
    }

    /// To the nearest displayable sRGB value.
    pub fn to_srgb(self) -> [u8; 3] {
        let l = (self.l + 0.396_337_78 * self.a + 0.215_803_76 * self.b).powi(3);
        let m = (self.l - 0.105_561_346 * self.a - 0.063_854_17 * self.b).powi(3);
        let s = (self.l - 0.089_484_18 * self.a - 1.291_485_5 * self.b).powi(3);
        [
            4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s,
            -1.268_438 * l + 2.609_757_4 * m - 0.341_319_38 * s,
            -0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s,
        ]
        .map(|v| (from_linear(v.clamp(0.0, 1.0)) * 255.0).round() as u8)
    }

    pub fn distance_squared(self, other: Oklab) -> f32 {
        let (l, a, b) = (self.l - other.l, self.a - other.a, self.b - other.b);
        l * l + a * a + b * b
    }

    /// The point at `t` (0..1) of the way to another colour.
    pub fn lerp(self, to: Oklab, t: f32) -> Oklab {
        Oklab {
            l: self.l + (to.l - self.l) * t,
            a: self.a + (to.a - self.a) * t,
            b: self.b + (to.b - self.b) * t,
        }
    }
}

/// The sRGB transfer function (IEC 61966-2-1) undone.
fn to_linear(v: f32) -> f32 {
    if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
}

fn from_linear(v: f32) -> f32 {
    if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 }
}

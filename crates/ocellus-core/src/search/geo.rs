//! Places on Earth: distances along the surface, and boxes in degrees.

use crate::GeoPoint;

/// Mean radius of the Earth in kilometres (IUGG).
const EARTH_RADIUS_KM: f64 = 6371.0088;

/// A box in degrees. `west` beyond `east` means that it crosses the 180th meridian.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct GeoBounds {
    pub south: f64,
    pub north: f64,
    pub west: f64,
    pub east: f64,
}

impl GeoBounds {
    /// The box with these opposite corners: the shorter way round the Earth.
    pub fn between(a: GeoPoint, b: GeoPoint) -> Self {
        let (low, high) = (a.longitude.min(b.longitude), a.longitude.max(b.longitude));
        let (west, east) = if high - low > 180.0 { (high, low) } else { (low, high) };
        Self { south: a.latitude.min(b.latitude), north: a.latitude.max(b.latitude), west, east }
    }

    /// Whether a place lies in it.
    pub fn holds(&self, latitude: f64, longitude: f64) -> bool {
        let across = if self.west <= self.east {
            longitude >= self.west && longitude <= self.east
        } else {
            longitude >= self.west || longitude <= self.east
        };
        latitude >= self.south && latitude <= self.north && across
    }

    /// A box that holds everything within `limit_km` of a point.
    pub fn around(center: GeoPoint, limit_km: f64) -> Self {
        // A hair more, so that rounding never loses a point that the distance would accept.
        let angle = limit_km / EARTH_RADIUS_KM * (1.0 + 1e-9) + 1e-9;
        let (south, north) = (center.latitude - angle.to_degrees(), center.latitude + angle.to_degrees());
        let everywhere = Self { south: south.max(-90.0), north: north.min(90.0), west: -180.0, east: 180.0 };
        // Around a pole every longitude is near.
        if south <= -90.0 || north >= 90.0 {
            return everywhere;
        }
        let half_width = (angle.sin() / center.latitude.to_radians().cos()).asin().to_degrees();
        if !half_width.is_finite() || half_width >= 180.0 {
            return everywhere;
        }
        let wrapped = |longitude: f64| (longitude + 540.0).rem_euclid(360.0) - 180.0;
        let (west, east) = (wrapped(center.longitude - half_width), wrapped(center.longitude + half_width));
        Self { south, north, west, east }
    }
}

/// Great-circle distance in kilometres, by the haversine formula.
pub(super) fn distance_km(a: GeoPoint, b: GeoPoint) -> f64 {
    let (lat_a, lat_b) = (a.latitude.to_radians(), b.latitude.to_radians());
    let half_lat = (lat_b - lat_a) / 2.0;
    let half_lon = (b.longitude - a.longitude).to_radians() / 2.0;
    let h = half_lat.sin().powi(2) + lat_a.cos() * lat_b.cos() * half_lon.sin().powi(2);
    2.0 * EARTH_RADIUS_KM * h.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(latitude: f64, longitude: f64) -> GeoPoint {
        GeoPoint { latitude, longitude }
    }

    #[test]
    fn distances_are_those_of_an_atlas() {
        let table = [
            (at(52.5200, 13.4050), at(48.8566, 2.3522), 877.5, 2.0), // Berlin, Paris
            (at(35.6762, 139.6503), at(34.6937, 135.5023), 392.5, 1.0), // Tokyo, Osaka: 109.2 km south, 377.0 km west
            (at(0.0, 179.9), at(0.0, -179.9), 22.24, 0.05),             // across the date line
            (at(90.0, 0.0), at(-90.0, 77.0), 20_015.1, 1.0),            // pole to pole
            (at(10.0, 20.0), at(10.0, 20.0), 0.0, 1e-9),
        ];
        for (a, b, expected, tolerance) in table {
            assert!((distance_km(a, b) - expected).abs() <= tolerance, "{a:?} {b:?}: {}", distance_km(a, b));
        }
    }

    #[test]
    fn the_box_around_a_point_holds_every_place_within_the_distance() {
        let holds = |b: GeoBounds, p: GeoPoint| b.holds(p.latitude, p.longitude);
        for center in [
            at(0.0, 0.0),
            at(52.5, 13.4),
            at(-33.0, 179.5),
            at(88.0, -20.0),
            at(-89.9, 100.0),
            at(60.0, -179.9),
        ] {
            for limit_km in [1.0, 120.0, 900.0, 9_000.0, 20_100.0] {
                let bounds = GeoBounds::around(center, limit_km);
                for step_lat in -36_i32..=36 {
                    for step_lon in -72_i32..72 {
                        let place = at(f64::from(step_lat) * 2.5, f64::from(step_lon) * 2.5);
                        let near = distance_km(center, place) <= limit_km;
                        assert!(!near || holds(bounds, place), "{center:?} {limit_km} {place:?} {bounds:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_box_goes_the_shorter_way_round() {
        let table = [
            (at(1.0, 2.0), at(-3.0, -4.0), (-3.0, 1.0, -4.0, 2.0)),
            (at(10.0, 170.0), at(20.0, -170.0), (10.0, 20.0, 170.0, -170.0)),
        ];
        for (a, b, (south, north, west, east)) in table {
            assert_eq!(GeoBounds::between(a, b), GeoBounds { south, north, west, east });
            assert_eq!(GeoBounds::between(b, a), GeoBounds { south, north, west, east });
        }
    }
}

//! A plot for the documents.

use plotters::prelude::*;

/// Draws lines over a number of sessions, which is drawn by its logarithm. Each: its name, and points.
pub fn draw(file: &str, title: &str, lines: &[(&str, Vec<(f64, f64)>)]) {
    let points = || lines.iter().flat_map(|(_, points)| points);
    let most = |of: fn(&(f64, f64)) -> f64| points().map(of).fold(0.0, f64::max);
    let (right, top) = (most(|point| point.0), most(|point| point.1));
    let area = SVGBackend::new(file, (860, 460)).into_drawing_area();
    area.fill(&WHITE).expect("the file can be written");
    // With room for the names above all lines.
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(44)
        .build_cartesian_2d((8.0..right * 1.2).log_scale(), 0.0..top * 1.5)
        .expect("a chart has room");
    chart.configure_mesh().x_desc("sessions").light_line_style(TRANSPARENT).draw().expect("axes are drawn");
    for (number, (name, points)) in lines.iter().enumerate() {
        let colour = Palette99::pick(number).to_rgba();
        let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2)).point_size(3);
        chart
            .draw_series(line)
            .expect("a line is drawn")
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.2))
        .label_font(("sans-serif", 14))
        .draw()
        .expect("names are drawn");
    area.present().expect("the file can be written");
}

// What environment.draw() calls, in the pixels of a canvas.
class Canvas {
  constructor(context, width) {
    const {left, right, bottom, top} = environment.view;
    this.context = context;
    this.scale = width / (right - left);
    this.x = x => (x - left) * this.scale;
    this.y = y => (top - y) * this.scale;
    this.height = (top - bottom) * this.scale;
  }
  line(x0, y0, x1, y1, width, paint) {
    const {context} = this;
    context.strokeStyle = color(paint);
    context.lineWidth = Math.max(1, width * this.scale);
    context.lineCap = 'round';
    context.beginPath();
    context.moveTo(this.x(x0), this.y(y0));
    context.lineTo(this.x(x1), this.y(y1));
    context.stroke();
  }
  circle(x, y, radius, paint) {
    const {context} = this;
    context.fillStyle = color(paint);
    context.beginPath();
    context.arc(this.x(x), this.y(y), radius * this.scale, 0, 2 * Math.PI);
    context.fill();
  }
  polygon(corners, paint) {
    const {context} = this;
    context.fillStyle = color(paint);
    context.beginPath();
    for (const [x, y] of corners) context.lineTo(this.x(x), this.y(y));
    context.fill();
  }
}

// Tracks a target in raw frames and prints left,top,width,height,score,visible of each. How it does
// so, and which two parts of mmpolar it leaves out, is said in docs/outside_python.md.
//   g++ -O2 -std=c++17 track.cpp -o track -I/usr/include/opencv4 -I/usr/include/onnxruntime
//       -lopencv_imgproc -lopencv_core -lonnxruntime
//   ffmpeg -i in.mp4 -f rawvideo -pix_fmt bgr24 - | ./track MODEL_FOLDER 640 480 100 80 60 40
#include <onnxruntime_cxx_api.h>
#include <fstream>
#include <iostream>
#include <map>
#include <opencv2/imgproc.hpp>

using cv::Mat, std::sqrt, std::string;
using Box = cv::Vec4d;  // x1, y1, x2, y2 in pixels whose centres are whole numbers

double padded(double w, double h, double c) { return sqrt((w + c * (w + h)) * (h + c * (w + h))); }
double change(double ratio) { return std::max(ratio, 1 / ratio); }

struct Tracker {
  string folder, json;  // The model folder, and the text of its model.json.
  Ort::Env env{ORT_LOGGING_LEVEL_ERROR};
  Ort::AllocatorWithDefaultOptions memory;
  std::map<string, Ort::Session> graphs;
  std::map<string, Ort::Value> values;  // What the graphs take and give.
  cv::Scalar border;
  Box box, found;  // The next frame is searched around the first; the second is the result.
  double score = 1, scale = 1;  // The second is the pixels of a crop for a pixel of the frame.
  int usual_size = 0, lost = 0;

  double p(const string& name) const {  // A number of model.json.
    const size_t at = json.find('"' + name + "\":");
    if (at == string::npos) throw std::runtime_error(folder + "/model.json has no " + name);
    return std::atof(json.c_str() + at + name.size() + 3);
  }
  const float* get(const string& name) { return values.at(name).GetTensorData<float>(); }
  template <class T>
  void put(const string& name, const std::vector<int64_t>& shape, const T* from) {
    auto value = Ort::Value::CreateTensor<T>(memory, shape.data(), shape.size());
    const size_t count = value.GetTensorTypeAndShapeInfo().GetElementCount();
    std::copy_n(from, count, value.template GetTensorMutableData<T>());
    values.insert_or_assign(name, std::move(value));
  }
  void run(const string& name) {
    const string path = folder + "/" + name + ".onnx";
    auto& graph = graphs.try_emplace(name, env, path.c_str(), Ort::SessionOptions()).first->second;
    Ort::IoBinding binding(graph);
    for (size_t i = 0; i < graph.GetInputCount(); ++i) {
      const auto input = graph.GetInputNameAllocated(i, memory);
      binding.BindInput(input.get(), values.at(input.get()));
    }
    for (size_t i = 0; i < graph.GetOutputCount(); ++i)
      binding.BindOutput(graph.GetOutputNameAllocated(i, memory).get(), memory.GetInfo());
    graph.Run(Ort::RunOptions(), binding);
    auto given = binding.GetOutputValues();
    for (size_t i = 0; i < given.size(); ++i)
      values.insert_or_assign(binding.GetOutputNames()[i], std::move(given[i]));
  }
  void put_crop(const string& name, Mat frame, int size) {  // The window around the box.
    scale = p("template_size") / padded(box[2] - box[0], box[3] - box[1], p("context_amount"));
    double zoom = 1 / scale, x = (box[0] + box[2]) / 2, y = (box[1] + box[3]) / 2;
    const double reach = size * zoom / 2;
    const cv::Rect seen = cv::Rect({}, frame.size()) &
                          cv::Rect(cv::Point(std::floor(x - reach) - 2, std::floor(y - reach) - 2),
                                   cv::Point(std::ceil(x + reach) + 3, std::ceil(y + reach) + 3));
    x -= seen.x + zoom * (size - 1) / 2, y -= seen.y + zoom * (size - 1) / 2;
    for (frame = frame(seen); zoom >= 2 && std::min(frame.rows, frame.cols) > 1; zoom /= 2) {
      const cv::Size half(frame.cols / 2, frame.rows / 2);
      cv::resize(frame(cv::Rect({}, half * 2)), frame, half, 0, 0, cv::INTER_AREA);
      x = x / 2 - .25, y = y / 2 - .25;
    }
    cv::warpAffine(frame, frame, cv::Matx23d(zoom, 0, x, 0, zoom, y), {size, size},
                   cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_CONSTANT, border);
    put(name, {1, size, size, 3}, frame.data);
  }
  void start(const Mat& frame, double x, double y, double w, double h) {
    found = box = {std::max(x, -.5), std::max(y, -.5), std::min(x + w, frame.cols - .5),
                   std::min(y + h, frame.rows - .5)};
    w = box[2] - box[0], h = box[3] - box[1];
    const bool is_small = w * h < p("small_target_share") * frame.total();
    usual_size = p(is_small ? "small_target_search_size" : "search_size");
    const int step = std::max(1, frame.rows / 128), size = p("template_size");
    border = cv::mean(Mat((frame.rows + step - 1) / step, frame.cols, CV_8UC3, frame.data,
                          frame.step * step));
    put_crop("template", frame, size);
    Mat target(size, size, CV_8U);  // The ellipse in the box.
    for (int i = 0; i < size * size; ++i)
      target.data[i] = std::hypot((i % size - (size - 1) / 2.) / std::max(w * scale / 2, .71),
                                  (i / size - (size - 1) / 2.) / std::max(h * scale / 2, .71)) <= 1;
    put("target_map", {1, size, size}, target.data);
    run("template");
  }
  void step(const Mat& frame) {
    const bool is_far = lost > p("widen_after");
    const int64_t size = is_far ? p("lost_search_size") : usual_size, middle = size / 2;
    put_crop("search", frame, size);
    run("search");
    const float *scores = get("scores"), *ltrb = get("ltrb");
    const int count = values.at("scores").GetTensorTypeAndShapeInfo().GetElementCount();
    const int cells = std::lround(sqrt(count)), rays = p("n_rays");
    const auto hann = [&](int i) { return .5 - .5 * std::cos(2 * CV_PI * i / (cells - 1)); };
    const double influence = is_far ? 0 : p("window_influence"), k = p("penalty_k"), lr = p("lr");
    const double before[] = {(box[2] - box[0]) * scale, (box[3] - box[1]) * scale};
    double best = -1, rate = 0;  // Of the location `at`.
    int64_t at = 0;
    for (int i = 0; i < count; ++i) {
      const double w = ltrb[i] + ltrb[2 * count + i], h = ltrb[count + i] + ltrb[3 * count + i];
      const double changes = change(padded(w, h, .5) / padded(before[0], before[1], .5)) *
                             change(before[0] / before[1] / (w / h));
      const double own = scores[i] * std::exp(k - k * changes);
      const double rank = own * (1 - influence) + hann(i / cells) * hann(i % cells) * influence;
      if (rank > best) best = rank, at = i, rate = own * lr * own * lr;
    }
    put("locations", {1}, &at), put("middle", {}, &middle);
    run("contour");
    Box head, around;
    for (int i : {0, 1}) {  // x, then y
      const double near = ltrb[i * count + at], far = ltrb[(i + 2) * count + at];
      const double all = frame.size[1 - i], cell = (i ? at / cells : at % cells) - cells / 2;
      const double pole = (box[i] + box[i + 2]) / 2 + cell * p("stride") / scale;
      const double center = std::clamp(pole + (far - near) / 2 / scale, -.5, all - .5);
      const double side = (before[i] + rate * (near + far - before[i])) / scale;
      const double half = std::clamp(side, std::min(p("min_size"), all), all) / 2;
      for (int s : {0, 2}) head[i + s] = std::nearbyint((center + (s - 1) * half) * 64) / 64;
      for (int n = 0; n < rays; ++n) {
        const double way = get("radii")[n] * std::cos(2 * CV_PI * n / rays - i * CV_PI / 2);
        const double point = std::clamp(pole + way / scale, -.5, all - .5);
        around[i] = n ? std::min(around[i], point) : point;
        around[i + 2] = n ? std::max(around[i + 2], point) : point;
      }
    }
    score = 1 / (1 + std::exp(-p("score_offset")) * std::pow(1 / scores[at] - 1, p("score_slope")));
    lost = score < p(is_far ? "found_score" : "lost_score") ? lost + 1 : 0;
    found = lost ? box : head + (around - head) * p("contour_share");
    box = lost ? box : head;
  }
};

int main(int argc, char** argv) {
  if (argc != 8) return std::cerr << "usage: see the top of track.cpp\n", 2;
  Tracker tracker{argv[1]};
  std::getline(std::ifstream(tracker.folder + "/model.json"), tracker.json, '\0');
  const auto number = [&](int i) { return std::atof(argv[i]); };
  Mat frame(number(3), number(2), CV_8UC3);
  for (int n = 0; std::cin.read((char*)frame.data, frame.total() * 3); ++n) {
    n ? tracker.step(frame) : tracker.start(frame, number(4), number(5), number(6), number(7));
    const Box& box = tracker.found;
    std::printf("%.3f,%.3f,%.3f,%.3f,%.5f,%d\n", box[0], box[1], box[2] - box[0], box[3] - box[1],
                tracker.score, !tracker.lost);
  }
}

"""The nets on the engine that executors run, against OpenCV's Caffe importer."""

# The bundle on a CPU: docker build -t unlearning . && docker run --rm -v /data:/data unlearning forget --request /data/request.csv --output_dir /data/run
FROM python:3.11-slim

WORKDIR /bundle
ENV PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1 MPLCONFIGDIR=/tmp/matplotlib

COPY requirements-cpu.txt requirements.txt ./
RUN pip install --no-cache-dir -r requirements-cpu.txt && pip install --no-cache-dir -r requirements.txt

COPY LICENSE ./
COPY configs configs
COPY scripts scripts
COPY models models
COPY docs docs
COPY sample_data sample_data

# Results go to a mounted folder; nothing in the image is written.
RUN useradd --create-home --uid 1000 unlearner
USER 1000
ENTRYPOINT ["python", "-m", "scripts"]
CMD ["help"]
